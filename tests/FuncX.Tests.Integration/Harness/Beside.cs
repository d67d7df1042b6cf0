namespace FuncX.Tests.Integration.Harness;

/// <summary>
/// The trait of scenarios that do not run one after the other with the rest. Most watch no times: <c>tests/run</c> runs them beside others. Those that start and end many processes run beside the other suites,
/// those that mostly wait, some at a time, beside the last classes of the suites and the remaining scenarios, which run one after the other. After all of them, with <c>--full</c>, come those that
/// need the machine alone.
/// </summary>
public static class Beside
{
    public const string Name = "runs";

    public const string Suites = "beside-suites";

    public const string Scenarios = "beside-scenarios";

    public const string Nothing = "alone";
}
