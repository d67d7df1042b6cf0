using System.Text.Json.Serialization;

namespace FuncX.Wire;

/// <summary>The JSON value of every result that is not <see cref="TaskOutcome.Value"/>: what went wrong, for people and for programs.</summary>
/// <param name="Type">Name of the exception's class, or of the outcome (<c>TimedOut</c>, <c>WorkerLost</c>, ...).</param>
/// <param name="Message">One sentence or the exception's text.</param>
/// <param name="Traceback">The remote traceback, when there is one.</param>
public sealed record FailureBody(
    [property: JsonPropertyName("type")] string Type,
    [property: JsonPropertyName("message")] string Message,
    [property: JsonPropertyName("traceback")] string? Traceback = null);
