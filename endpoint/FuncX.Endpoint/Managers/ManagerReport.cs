using System.Text.Json;
using System.Text.Json.Serialization;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>What a manager says of itself in a <c>Status</c> frame, as far as the endpoint passes it on.</summary>
public sealed record ManagerReport
{
    /// <summary>What people should know; empty otherwise.</summary>
    public string Note { get; init; } = "";

    /// <summary>It takes no more tasks and finishes what it has.</summary>
    public bool Draining { get; init; }

    /// <summary>Versions by runtime, as "python": "3.11.2"; null as long as the manager has not found out.</summary>
    public IReadOnlyDictionary<string, string>? Runtimes { get; init; }

    /// <summary>Null: it has no files to stage.</summary>
    public ManagerStaging? Staging { get; init; }

    public ManagerHops Hops { get; init; } = new();

    /// <summary>Reads a status body.</summary>
    /// <exception cref="FrameException">It is not the JSON it should be.</exception>
    public static ManagerReport Read(ReadOnlySpan<byte> body)
    {
        try
        {
            var report = JsonSerializer.Deserialize(body, ManagerReportJson.Default.ManagerReport) ?? new ManagerReport();
            // What a status leaves out comes as null, as what it says is null does.
            return report with { Note = report.Note ?? "", Hops = report.Hops ?? new ManagerHops(), Staging = report.Staging is { Problem: null } silent ? silent with { Problem = "" } : report.Staging };
        }
        catch (JsonException problem)
        {
            throw new FrameException($"a status is not the JSON it should be: {problem.Message}");
        }
    }
}

/// <summary>Frames that passed a manager since it started, their bytes, and how many of those it copied or allocated.</summary>
public sealed record ManagerHops
{
    public long TasksReceived { get; init; }

    public long TaskBytesReceived { get; init; }

    public long TasksToWorkers { get; init; }

    public long ResultsFromWorkers { get; init; }

    public long ResultBytesReceived { get; init; }

    /// <summary>Bytes of frames copied from one buffer of the manager to another, tasks and results together.</summary>
    public long BytesCopied { get; init; }

    public long BytesAllocated { get; init; }

    /// <summary>Functions that came to the manager down the ranks of its world, from the leader or a rank in between.</summary>
    public long FunctionsReceived { get; init; }

    /// <summary>Their bytes, of those on their way too, and what it gave to the ranks below it.</summary>
    public long FunctionBytesReceived { get; init; }

    public long FunctionBytesSent { get; init; }

    public static ManagerHops operator +(ManagerHops left, ManagerHops right) => new()
    {
        TasksReceived = left.TasksReceived + right.TasksReceived,
        TaskBytesReceived = left.TaskBytesReceived + right.TaskBytesReceived,
        TasksToWorkers = left.TasksToWorkers + right.TasksToWorkers,
        ResultsFromWorkers = left.ResultsFromWorkers + right.ResultsFromWorkers,
        ResultBytesReceived = left.ResultBytesReceived + right.ResultBytesReceived,
        BytesCopied = left.BytesCopied + right.BytesCopied,
        BytesAllocated = left.BytesAllocated + right.BytesAllocated,
        FunctionsReceived = left.FunctionsReceived + right.FunctionsReceived,
        FunctionBytesReceived = left.FunctionBytesReceived + right.FunctionBytesReceived,
        FunctionBytesSent = left.FunctionBytesSent + right.FunctionBytesSent,
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ManagerReport))]
internal sealed partial class ManagerReportJson : JsonSerializerContext;
