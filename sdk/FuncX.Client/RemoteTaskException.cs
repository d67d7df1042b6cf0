using System.Text;
using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Client;

/// <summary>
/// A task that ended without a value: the function raised, or it was lost, cancelled, timed out, too large, rejected or expired. For the function's
/// own exceptions <see cref="Type"/>, <see cref="RemoteMessage"/> and <see cref="RemoteTraceback"/> are those of the remote exception.
/// </summary>
public sealed class RemoteTaskException : FuncXException
{
    internal RemoteTaskException(TaskId task, TaskOutcome outcome, FailureBody failure, string standardOutput, string standardError, int code)
        : base(FuncXErrorKind.TaskFailed, Describe(task, outcome, failure))
    {
        TaskId = task;
        Outcome = outcome;
        Type = failure.Type;
        RemoteMessage = failure.Message;
        RemoteTraceback = failure.Traceback;
        StandardOutput = standardOutput;
        StandardError = standardError;
        ExitCode = code;
    }

    /// <summary>The task.</summary>
    public TaskId TaskId { get; }

    /// <summary>How it ended; never <see cref="TaskOutcome.Value"/>.</summary>
    public TaskOutcome Outcome { get; }

    /// <summary>Class of the remote exception (<c>ValueError</c>), or what happened (<c>TimedOut</c>, <c>WorkerLost</c>, ...).</summary>
    public string Type { get; }

    /// <summary>Text of the remote exception, or what happened in one sentence.</summary>
    public string RemoteMessage { get; }

    /// <summary>The remote traceback as the worker's language prints it; null when there is none.</summary>
    public string? RemoteTraceback { get; }

    /// <summary>What the task wrote to its standard output, as far as it was kept.</summary>
    public string StandardOutput { get; }

    /// <summary>What the task wrote to its standard error, as far as it was kept.</summary>
    public string StandardError { get; }

    /// <summary>Exit status, or minus the signal, of a worker that died; else 0.</summary>
    public int ExitCode { get; }

    internal static RemoteTaskException Read(
        TaskId task, TaskOutcome outcome, ReadOnlySpan<byte> value, ReadOnlySpan<byte> standardOutput, ReadOnlySpan<byte> standardError, int code) =>
        new(task, outcome, ReadFailure(outcome, value), Encoding.UTF8.GetString(standardOutput), Encoding.UTF8.GetString(standardError), code);

    private static FailureBody ReadFailure(TaskOutcome outcome, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return new FailureBody(outcome.ToString(), "no further detail was given");
        try
        {
            if (JsonSerializer.Deserialize<FailureBody>(value) is { Type: not null, Message: not null } failure)
                return failure;
        }
        catch (JsonException)
        {
            // Whatever it is, a person can make more of it than nobody.
        }

        return new FailureBody(outcome.ToString(), Encoding.UTF8.GetString(value[..Math.Min(value.Length, 1024)]));
    }

    private static string Describe(TaskId task, TaskOutcome outcome, FailureBody failure) => outcome switch
    {
        TaskOutcome.Exception => $"Task {task} raised {failure.Type}: {failure.Message}",
        TaskOutcome.TimedOut => $"Task {task} ran longer than its walltime: {failure.Message}",
        TaskOutcome.Cancelled => $"Task {task} was cancelled: {failure.Message}",
        TaskOutcome.Lost => $"Task {task} was lost: {failure.Message}",
        TaskOutcome.TooLarge => $"Task {task} has a result that is too large: {failure.Message}",
        TaskOutcome.Rejected when failure.Type == "DependencyFailed" => $"Task {task} did not run: {failure.Message}",
        TaskOutcome.Rejected => $"Task {task} could not run there: {failure.Message}",
        TaskOutcome.Expired => $"Task {task} did not start before its deadline: {failure.Message}",
        _ => $"Task {task} ended as {outcome}: {failure.Message}",
    };
}
