using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether this release can do all that the file asks for; containers are looked at by themselves.</summary>
internal sealed class FileCheck(ConfigurationResult<EndpointConfiguration> file) : IDoctorCheck
{
    public string Name => "file";

    public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        var unsupported = EndpointSupport.Unsupported(file).Where(static error => !ContainersCheck.Concerns(error)).ToList();
        return Task.FromResult<IReadOnlyList<Finding>>(unsupported.Count == 0
            ? [Finding.Ok(Name, $"{file.File} is valid")]
            : [.. unsupported.Select(error => Finding.Problem(Name, $"line {error.Line}: {error.Message}", "write what is possible now, or leave the key out; `start` refuses the file as it is"))]);
    }
}
