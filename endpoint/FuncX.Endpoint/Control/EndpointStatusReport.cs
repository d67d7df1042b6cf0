using System.Text.Json;
using System.Text.Json.Serialization;

namespace FuncX.Endpoint.Control;

/// <summary>What <c>GET /status</c> answers and <c>status --json</c> prints; names in snake_case.</summary>
public sealed record EndpointStatusReport
{
    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>The same on one line.</summary>
    internal static readonly JsonSerializerOptions JsonLine = new(Json) { WriteIndented = false };

    public required string Name { get; init; }

    public required string EndpointId { get; init; }

    public required string Service { get; init; }

    /// <summary><c>running</c> or <c>stopping</c>.</summary>
    public required string State { get; init; }

    public required int Pid { get; init; }

    public required string Host { get; init; }

    public required string Version { get; init; }

    public required DateTimeOffset Started { get; init; }

    /// <summary>host:port where managers dial in.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>Blocks that have not ended.</summary>
    public required IReadOnlyList<BlockReport> Blocks { get; init; }

    /// <summary>Numbers of the data path: see <see cref="FuncX.Endpoint.Dispatch.EndpointSnapshot"/>.</summary>
    public JsonElement? Dispatch { get; init; }
}

/// <summary>One block in a status.</summary>
/// <param name="Job">As the provider calls it; empty until it has taken the block.</param>
public sealed record BlockReport(string Block, string State, int Nodes, DateTimeOffset Requested, string Reason, string Job = "");
