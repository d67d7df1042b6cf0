using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using FuncX.Endpoint.Managers;

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
/// <param name="Staging">How far it is with the files of <c>stage_in</c>; null: it has none, or no manager yet.</param>
public sealed record BlockReport(string Block, string State, int Nodes, DateTimeOffset Requested, string Reason, string Job = "", BlockStaging? Staging = null)
{
    /// <summary>For people: the reason, and staging with what is wrong with it.</summary>
    [JsonIgnore]
    public string Remark => Staging is null ? Reason : string.Create(
        CultureInfo.InvariantCulture,
        $"{Reason}{(Reason.Length > 0 ? "; " : "")}staged {Staging.ManagersDone:N0} of {Staging.Managers:N0} managers, {Staging.FilesDone:N0} of {Staging.Files:N0} files, {Bytes(Staging.BytesDone)} of {Bytes(Staging.Bytes)}{(Staging.Problem.Length > 0 ? ": " : "")}{Staging.Problem}");

    internal static string Bytes(long bytes) => bytes switch
    {
        < 1 << 10 => Of($"{bytes} B"),
        < 1 << 20 => Of($"{bytes / 1024.0:F1} KiB"),
        < 1 << 30 => Of($"{bytes / 1048576.0:F1} MiB"),
        _ => Of($"{bytes / 1073741824.0:F1} GiB"),
    };

    private static string Of(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
