using FuncX.Configuration;
using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Slurm;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether Slurm would take a block's batch script as the file makes it. <c>sbatch --test-only</c> submits nothing (sbatch(1)); PBS and Cobalt have nothing like it.</summary>
internal sealed class SlurmScriptCheck(EndpointConfiguration configuration, IMachine machine) : IDoctorCheck
{
    private const string Sbatch = "sbatch";

    public string Name => "script";

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        if (UnsubmittedBlock.Of(configuration) is not (SlurmScheduler scheduler, var job))
            return [Finding.Skipped(Name, "not needed: only Slurm tells beforehand whether it would take a job")];
        if (machine.Find(Sbatch) is null)
            return [Finding.Skipped(Name, $"{Sbatch} is not in PATH")];
        using var script = new TemporaryScript(scheduler.Script(job));
        CommandOutput output;
        try
        {
            output = await machine.RunAsync(new SchedulerCommand(Sbatch, "--test-only", script.Path), Path.GetTempPath(), cancellation);
        }
        catch (BlockProviderException problem)
        {
            return [Finding.Refused(Name, problem.Message, "run it by hand to see")];
        }

        if (output is { ExitCode: 0, TimedOut: false })
            return [Finding.Ok(Name, $"Slurm would take it: {output.Said}")];
        var answer = output.TimedOut ? new SubmitAnswer(SubmitKind.Away, output.Said) : scheduler.ReadSubmit(output);
        return [answer.Kind == SubmitKind.Refused
            ? Finding.Problem(Name, $"Slurm would refuse the batch script of this file (exit {output.ExitCode}): \"{answer.Text}\"",
                $"check {(answer.Key.Length > 0 ? answer.Key : "the keys below provider")}; `funcx-endpoint render` prints the script, `sinfo` and `sacctmgr show assoc user=$USER` what there is")
            : Finding.Warning(Name, $"Slurm did not say whether it would take the script: {answer.Text}", "run this again when its controller answers")];
    }
}
