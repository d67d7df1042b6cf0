using FuncX.Wire;

namespace FuncX.Client.Results;

/// <summary>How one task of a group ended, as the service streams it. The bytes belong to one message; keeping one keeps the message.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="ContentType">How <paramref name="Value"/> is encoded.</param>
/// <param name="Value">The value; for every outcome but a value the failure as JSON.</param>
/// <param name="StandardOutput">What the task wrote, as far as it was kept.</param>
/// <param name="StandardError">What the task wrote, as far as it was kept.</param>
/// <param name="Code">Exit status, or minus the signal, of a worker that died; else 0.</param>
/// <param name="Cursor">Where to go on after this result. Nothing is left out then, but results that came with the same message come again unless this was the last of them.</param>
public sealed record TaskResult(
    TaskId TaskId,
    TaskOutcome Outcome,
    ContentType ContentType,
    ReadOnlyMemory<byte> Value,
    ReadOnlyMemory<byte> StandardOutput,
    ReadOnlyMemory<byte> StandardError,
    int Code,
    ulong Cursor)
{
    /// <summary>The failure as an exception; null when the task has a value.</summary>
    public RemoteTaskException? Failure => Outcome == TaskOutcome.Value
        ? null
        : RemoteTaskException.Read(TaskId, Outcome, Value.Span, StandardOutput.Span, StandardError.Span, Code);
}
