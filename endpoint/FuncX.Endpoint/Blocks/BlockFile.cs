using System.Text.Json.Serialization;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>A block as the next process of this endpoint finds it: <c>block.json</c>, mode 0600.</summary>
/// <param name="Identity">The <see cref="Identity.EndpointIdentity.Key"/> of the endpoint whose tasks it runs.</param>
/// <param name="Host">The machine of the process that asked for it.</param>
/// <param name="Missing">Of its nodes, those whose manager is gone or has never come: the next process does not wait for them.</param>
/// <param name="JobId">Null until the provider has answered: the submission may have been cut short.</param>
/// <param name="Secret">Empty once the block has ended.</param>
public sealed record BlockFile(
    [property: JsonPropertyName("block")] string Block,
    [property: JsonPropertyName("identity")] string? Identity,
    [property: JsonPropertyName("provider")] string Provider,
    [property: JsonPropertyName("host")] string Host,
    [property: JsonPropertyName("nodes")] int Nodes,
    [property: JsonPropertyName("missing")] int Missing,
    [property: JsonPropertyName("requested")] DateTimeOffset Requested,
    [property: JsonPropertyName("secret")] string Secret,
    [property: JsonPropertyName("job")] string? JobId,
    [property: JsonPropertyName("state")] [property: JsonConverter(typeof(JsonStringEnumConverter<BlockState>))] BlockState State,
    [property: JsonPropertyName("reason")] string Reason);
