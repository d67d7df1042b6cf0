using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Wire;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether there is the manager that blocks run, and whether it starts here.</summary>
internal sealed class ManagerCheck(IMachine machine) : IDoctorCheck
{
    private const string Install = "unpack the release again, or name another manager in FUNCX_MANAGER";

    public string Name => "manager";

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        ManagerProgram manager;
        try
        {
            manager = machine.FindManager();
        }
        catch (EndpointRefusedException problem)
        {
            return [Finding.Refused(Name, problem.Message, Install)];
        }

        return [await StartAsync(manager, cancellation)];
    }

    private async Task<Finding> StartAsync(ManagerProgram manager, CancellationToken cancellation)
    {
        CommandOutput output;
        try
        {
            output = await machine.RunAsync(new SchedulerCommand(manager.Path, "--version"), Path.GetTempPath(), cancellation);
        }
        catch (BlockProviderException)
        {
            return Finding.Problem(Name, $"{manager.Path} cannot be started; it is no program, or not one of this machine's kind", $"run `{manager.Path} --version` to see; {Install}");
        }

        if (output.ExitCode != 0)
            return Finding.Problem(Name, $"{manager.Path} --version ended with {output.ExitCode}: {output.Said}", Install);
        var version = output.Said;
        return version.StartsWith($"funcx-manager {ProtocolVersion.Product},", StringComparison.Ordinal)
            ? Finding.Ok(Name, $"{manager.Path} starts: {version}")
            : Finding.Problem(Name, $"{manager.Path} is another release than this endpoint, {ProtocolVersion.Product}: it says '{version}'", $"install the same release of both; {Install}");
    }
}
