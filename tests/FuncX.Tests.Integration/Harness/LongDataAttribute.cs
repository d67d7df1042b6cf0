using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

namespace FuncX.Tests.Integration.Harness;

/// <summary>A row of a theory that is run with <c>--full</c> only: its like is in the short run already.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class LongDataAttribute(params object?[] data) : DataAttribute
{
    public override ValueTask<IReadOnlyCollection<Xunit.ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([new Xunit.TheoryDataRow(data) { Explicit = Environment.GetEnvironmentVariable("FUNCX_TESTS_FULL") != "1" }]);

    public override bool SupportsDiscoveryEnumeration() => true;
}
