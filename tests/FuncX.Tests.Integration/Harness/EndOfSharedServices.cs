using FuncX.Tests.Integration.Harness;

[assembly: AssemblyFixture(typeof(EndOfSharedServices))]

namespace FuncX.Tests.Integration.Harness;

/// <summary>Stops the services that scenarios shared, after the last of them: each ends as one that was used once.</summary>
public sealed class EndOfSharedServices : IAsyncDisposable
{
    public ValueTask DisposeAsync() => SharedServices.Ours.DisposeAsync();
}
