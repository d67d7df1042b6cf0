using System.Text.Json.Serialization;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Hosting;

/// <summary><c>endpoint.json</c> in the state directory, mode 0600: written when the endpoint is ready, removed at a clean stop. Informative only.</summary>
public sealed record EndpointFile(
    [property: JsonPropertyName("pid")] int Pid,
    [property: JsonPropertyName("host")] string Host,
    [property: JsonPropertyName("port")] int Port,
    [property: JsonPropertyName("addresses")] IReadOnlyList<string> Addresses,
    [property: JsonPropertyName("fingerprint")] string Fingerprint,
    [property: JsonPropertyName("endpoint_id")] string EndpointId,
    [property: JsonPropertyName("version")] string Version,
    [property: JsonPropertyName("metrics")] string? Metrics)
{
    public static string PathIn(string stateDirectory) => Path.Combine(stateDirectory, "endpoint.json");

    /// <summary>Null when there is none that can be read.</summary>
    public static EndpointFile? Read(string stateDirectory)
    {
        try
        {
            return PrivateFile.ReadJson<EndpointFile>(PathIn(stateDirectory));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Removes the file if it is this process's: a newer process may have written its own.</summary>
    public static void RemoveOwn(string stateDirectory)
    {
        if (Read(stateDirectory) is { } file && file.Pid == Environment.ProcessId && file.Host == Environment.MachineName)
            File.Delete(PathIn(stateDirectory));
    }
}
