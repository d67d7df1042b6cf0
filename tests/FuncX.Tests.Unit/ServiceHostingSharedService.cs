using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>One service for all tests of a class that leave nothing behind in it, or use users of their own.</summary>
public sealed class SharedService : IAsyncLifetime
{
    internal RunningService Running { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Running = await RunningService.StartAsync();

    public ValueTask DisposeAsync() => Running.DisposeAsync();
}
