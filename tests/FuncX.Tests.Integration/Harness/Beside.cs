namespace FuncX.Tests.Integration.Harness;

/// <summary>
/// The trait of scenarios that <c>tests/run</c> runs beside the other suites: they mostly wait for processes that start and end, and watch no times. All others
/// run alone, one after the other.
/// </summary>
public static class Beside
{
    public const string Name = "runs";

    public const string Others = "beside";
}
