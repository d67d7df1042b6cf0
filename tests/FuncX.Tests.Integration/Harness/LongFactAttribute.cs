using System.Runtime.CompilerServices;

namespace FuncX.Tests.Integration.Harness;

/// <summary>A test that the short run leaves out: it shows at length what a shorter one shows too.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LongFactAttribute : Xunit.FactAttribute
{
    public LongFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Explicit = Environment.GetEnvironmentVariable("FUNCX_TESTS_FULL") != "1";
}
