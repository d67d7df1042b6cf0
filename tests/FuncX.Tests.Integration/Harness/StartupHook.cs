// The runtime looks for this name outside of any namespace.
#pragma warning disable CA1050, MA0047
/// <summary>What <c>DOTNET_STARTUP_HOOKS</c> runs in a program before its first line: notes that it has begun.</summary>
internal sealed class StartupHook
{
    /// <summary>Names the file that gets a line for each beginning.</summary>
    public const string Variable = "FUNCX_TESTS_BEGINNINGS";

    public static void Initialize() => File.AppendAllText(Environment.GetEnvironmentVariable(Variable)!, $"{Environment.ProcessId}\n");
}
