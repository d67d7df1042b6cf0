using System.Text.Json.Serialization;

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

    public override string ToString() => $"manager {Manager} of block {Block} on {Node}, pid {Pid}";
}
