using FuncX.Configuration;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether the state directory can be made, is the user's own and closed to others. That others may not write the file was seen when it was read.</summary>
internal sealed class PermissionsCheck(string file, EndpointConfiguration configuration) : IDoctorCheck
{
    public string Name => "permissions";

    public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        try
        {
            StateDirectory.Prepare(configuration.StateDirectory);
        }
        catch (EndpointRefusedException problem)
        {
            return Task.FromResult<IReadOnlyList<Finding>>([Finding.Refused(Name, problem.Message, "name a directory in state_dir that you may make and write, below your home for example")]);
        }

        return Task.FromResult<IReadOnlyList<Finding>>([Finding.Ok(Name, $"state_dir {configuration.StateDirectory} is yours alone (0700), and nobody else may write {file}")]);
    }
}
