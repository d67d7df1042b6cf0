using System.Text.Json;
using System.Text.Json.Serialization;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>The body of a manager's hello, as in protocol/README.md.</summary>
internal sealed record ManagerHello
{
    [JsonPropertyName("role")]
    public string Role { get; init; } = "";

    [JsonPropertyName("version")]
    public string Version { get; init; } = "";

    [JsonPropertyName("protocol_minimum")]
    public int ProtocolMinimum { get; init; }

    [JsonPropertyName("protocol_maximum")]
    public int ProtocolMaximum { get; init; }

    [JsonPropertyName("secret")]
    public string Secret { get; init; } = "";

    [JsonPropertyName("block")]
    public string Block { get; init; } = "";

    [JsonPropertyName("manager")]
    public string Manager { get; init; } = "";

    [JsonPropertyName("node")]
    public string Node { get; init; } = "";

    [JsonPropertyName("pid")]
    public int Pid { get; init; }

    /// <summary>For how long it can run tasks from now on, 0: it does not know.</summary>
    [JsonPropertyName("ends_in_ms")]
    public long EndsInMs { get; init; }

    /// <summary>Reads a hello's body.</summary>
    /// <exception cref="FrameException">It is not the JSON it should be.</exception>
    public static ManagerHello Read(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<ManagerHello>(body) ?? throw new FrameException("the hello is JSON null");
        }
        catch (JsonException problem)
        {
            throw new FrameException($"the hello is not the JSON it should be: {problem.Message}");
        }
    }

    [JsonIgnore]
    public bool IsManager => Role == "manager";

    /// <summary>A leader speaks for the managers of its world, and is none itself.</summary>
    [JsonIgnore]
    public bool IsLeader => Role == "leader";

    /// <summary>An agent launches the worlds of its block, and no task passes it.</summary>
    [JsonIgnore]
    public bool IsAgent => Role == "agent";

    public override string ToString() => $"{Role} {Manager} of block {Block} on {Node}, pid {Pid}";
}
