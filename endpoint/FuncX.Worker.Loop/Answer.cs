using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Workers;

/// <summary>How a task ended.</summary>
public sealed record Answer(TaskOutcome Outcome, ContentType ContentType, byte[] Value)
{
    /// <summary>The return code of what it ran, when it ran something.</summary>
    public int Code { get; init; }

    /// <summary>Output that the runner collected itself; what user code writes to descriptors 1 and 2 the manager adds.</summary>
    public byte[] Stdout { get; init; } = [];

    public byte[] Stderr { get; init; } = [];

    public static Answer Json(byte[] value) => new(TaskOutcome.Value, ContentType.Json, value);

    public static Answer Failed(string type, string message, string? traceback = null, TaskOutcome outcome = TaskOutcome.Exception) =>
        new(outcome, ContentType.Json, JsonSerializer.SerializeToUtf8Bytes(new FailureBody(type, Cut(message), traceback is null ? null : Cut(traceback)), WorkerJson.Default.FailureBody));

    // What is told of a failure is bounded, whatever the limit of results is.
    private static string Cut(string text) => text.Length <= 64 * 1024 ? text : string.Concat(text.AsSpan(0, 64 * 1024), $"\n[funcx: {text.Length - (64 * 1024)} more characters were cut]");
}
