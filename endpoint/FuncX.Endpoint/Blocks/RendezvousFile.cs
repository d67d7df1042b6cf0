using System.Text.Json.Serialization;

namespace FuncX.Endpoint.Blocks;

/// <summary>What a manager needs to find the endpoint and to prove itself (protocol/README.md). In a 0600 file that is replaced whole when the listener moves.</summary>
/// <param name="Addresses">host:port, each as good as the other.</param>
/// <param name="Fingerprint">SHA-256 of the endpoint's certificate, hexadecimal.</param>
/// <param name="Secret">Of this block, worth nothing outside it.</param>
public sealed record RendezvousFile(
    [property: JsonPropertyName("addresses")] IReadOnlyList<string> Addresses,
    [property: JsonPropertyName("fingerprint")] string Fingerprint,
    [property: JsonPropertyName("secret")] string Secret,
    [property: JsonPropertyName("block")] string Block);
