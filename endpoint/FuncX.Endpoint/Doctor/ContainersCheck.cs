using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether this release can use the container runtime of the file.</summary>
internal sealed class ContainersCheck(ConfigurationResult<EndpointConfiguration> file) : IDoctorCheck
{
    private const string Section = "'containers.";

    public string Name => "containers";

    /// <summary>Whether what cannot be done yet is about containers.</summary>
    public static bool Concerns(ConfigurationError error) => error.Message.StartsWith(Section, StringComparison.Ordinal);

    public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        var unsupported = EndpointSupport.Unsupported(file).Where(Concerns).ToList();
        return Task.FromResult<IReadOnlyList<Finding>>(unsupported.Count == 0
            ? [Finding.Skipped(Name, "not needed: containers.runtime is none")]
            : [.. unsupported.Select(error => Finding.Problem(Name, $"line {error.Line}: {error.Message}", "write what is possible now, or leave the key out; tasks run on the node itself"))]);
    }
}
