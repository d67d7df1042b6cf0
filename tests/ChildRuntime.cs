using System.Runtime.CompilerServices;

namespace FuncX.Tests;

/// <summary>
/// Settings of the runtime for what a suite starts, and not for the suite itself, which works for minutes: <c>FUNCX_TESTS_CHILDREN</c> has them as <c>NAME=VALUE</c>, a space between. <c>tests/run</c> gives them.
/// </summary>
internal static class ChildRuntime
{
    [ModuleInitializer]
    internal static void Apply()
    {
        foreach (var setting in (Environment.GetEnvironmentVariable("FUNCX_TESTS_CHILDREN") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var at = setting.IndexOf('=', StringComparison.Ordinal);
            Environment.SetEnvironmentVariable(setting[..at], setting[(at + 1)..]);
        }
    }
}
