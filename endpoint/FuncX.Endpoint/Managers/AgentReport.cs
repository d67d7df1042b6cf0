using System.Text.Json;
using System.Text.Json.Serialization;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>What a block's agent says of its worlds in a <c>Status</c> frame.</summary>
public sealed record AgentReport
{
    public int WorldsRunning { get; init; }

    /// <summary>Worlds that ended and are launched again after a pause.</summary>
    public int WorldsWaiting { get; init; }

    /// <summary>Nodes on which no world could be started.</summary>
    public IReadOnlyList<string> NodesGivenUp { get; init; } = [];

    /// <summary>What people should know; empty otherwise.</summary>
    public string Note { get; init; } = "";

    /// <summary>Reads a status body.</summary>
    /// <exception cref="FrameException">It is not the JSON it should be.</exception>
    public static AgentReport Read(ReadOnlySpan<byte> body)
    {
        try
        {
            var report = JsonSerializer.Deserialize(body, AgentReportJson.Default.AgentReport) ?? new AgentReport();
            return report with { Note = report.Note ?? "", NodesGivenUp = report.NodesGivenUp ?? [] };
        }
        catch (JsonException problem)
        {
            throw new FrameException($"a status of an agent is not the JSON it should be: {problem.Message}");
        }
    }

    /// <summary>What the agents of all blocks last said, together.</summary>
    internal static AgentReport Sum(IEnumerable<ManagerConnection> connections)
    {
        var sum = new AgentReport();
        foreach (var connection in connections)
        {
            if (connection.Hello is { IsAgent: true } hello)
                sum += connection.Agent.Note.Length > 0 ? connection.Agent with { Note = $"{hello.Node}: {connection.Agent.Note}" } : connection.Agent;
        }

        return sum;
    }

    /// <summary>By block, what its agent last said that people should know.</summary>
    internal static Dictionary<string, string> Notes(IEnumerable<ManagerConnection> connections) => connections.Where(static connection => connection.Hello is { IsAgent: true } && connection.Agent.Note.Length > 0)
        .DistinctBy(static connection => connection.Hello!.Block).ToDictionary(static connection => connection.Hello!.Block, static connection => connection.Agent.Note, StringComparer.Ordinal);

    /// <summary>Two agents' together; the first note that there is.</summary>
    public static AgentReport operator +(AgentReport left, AgentReport right) => new()
    {
        WorldsRunning = left.WorldsRunning + right.WorldsRunning,
        WorldsWaiting = left.WorldsWaiting + right.WorldsWaiting,
        NodesGivenUp = [.. left.NodesGivenUp, .. right.NodesGivenUp],
        Note = left.Note.Length > 0 ? left.Note : right.Note,
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(AgentReport))]
internal sealed partial class AgentReportJson : JsonSerializerContext;
