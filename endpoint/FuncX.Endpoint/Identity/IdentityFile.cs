using System.Text.Json.Serialization;

namespace FuncX.Endpoint.Identity;

/// <summary><c>identity.json</c>, mode 0600: who the endpoint is at which service.</summary>
public sealed record IdentityFile(
    [property: JsonPropertyName("endpoint_id")] string EndpointId,
    [property: JsonPropertyName("credential")] string Credential,
    [property: JsonPropertyName("service")] string Service,
    [property: JsonPropertyName("name")] string Name);
