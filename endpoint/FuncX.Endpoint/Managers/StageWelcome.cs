using System.Text.Json.Serialization;
using FuncX.Configuration;

namespace FuncX.Endpoint.Managers;

/// <summary>The files that a node has before it takes work, and where it keeps them.</summary>
internal sealed record StageWelcome(
    [property: JsonPropertyName("files")] IReadOnlyList<string> Files,
    [property: JsonPropertyName("cache")] string Cache,
    [property: JsonPropertyName("cache_bytes")] long CacheBytes)
{
    /// <summary>Null: there are none.</summary>
    public static StageWelcome? From(EndpointConfiguration configuration) => configuration.StageIn.Count == 0
        ? null
        : new StageWelcome(configuration.StageIn, configuration.Containers.Cache?.Directory ?? "", configuration.Containers.Cache?.Size ?? 0);
}
