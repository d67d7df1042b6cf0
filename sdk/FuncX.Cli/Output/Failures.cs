using FuncX.Client;
using FuncX.Wire;

namespace FuncX.Cli.Output;

/// <summary>A failed task for programs.</summary>
internal static class Failures
{
    public static object Document(FuncXException problem) => problem is RemoteTaskException remote
        ? new
        {
            Task = remote.TaskId.ToString(),
            Outcome = Name(remote.Outcome),
            remote.Type,
            Message = remote.RemoteMessage,
            Traceback = remote.RemoteTraceback,
        }
        : new { Message = problem.Message };

    /// <summary>As in protocol/README.md, with underscores: <c>timed_out</c>.</summary>
    public static string Name(TaskOutcome outcome) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(outcome.ToString());
}
