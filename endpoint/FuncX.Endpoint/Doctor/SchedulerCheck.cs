using FuncX.Configuration;
using FuncX.Providers;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether the scheduler's commands are in PATH, and whether its controller answers the provider's own question for the user's jobs.</summary>
internal sealed class SchedulerCheck(EndpointConfiguration configuration, IMachine machine) : IDoctorCheck
{
    private const string AnyId = "1";

    public string Name => "scheduler";

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        if (UnsubmittedBlock.Of(configuration) is not var (scheduler, job))
            return [Finding.Skipped(Name, $"not needed: provider.type is {SnakeCase.Of(configuration.Provider.Type)}")];
        string[] needed = [scheduler.Submit(job).Program, scheduler.Queries[0].Command([AnyId]).Program, scheduler.Cancel(AnyId).Program, scheduler.List(Environment.UserName).Program];
        var missing = needed.Distinct(StringComparer.Ordinal).Where(program => machine.Find(program) is null).ToList();
        if (missing.Count > 0)
            return [Finding.Problem(Name, $"{string.Join(", ", missing)} of {scheduler.Name} {(missing.Count == 1 ? "is" : "are")} not in PATH", $"{Module(scheduler)}, in the shell that runs `start`")];
        return [.. Helpers(scheduler, needed), await AskAsync(scheduler, cancellation)];
    }

    // Without them the provider knows less of how jobs ended, and works.
    private IEnumerable<Finding> Helpers(IBatchScheduler scheduler, string[] needed) => scheduler.Queries.Skip(1).Select(static query => query.Command([AnyId]).Program).Except(needed, StringComparer.Ordinal)
        .Where(program => machine.Find(program) is null)
        .Select(program => Finding.Warning(Name, $"{program} of {scheduler.Name} is not in PATH, so that less is known of how jobs ended", Module(scheduler)));

    private static string Module(IBatchScheduler scheduler) => $"put the directory of its commands into PATH: `module load {scheduler.Name}` at most sites that have modules";

    private async Task<Finding> AskAsync(IBatchScheduler scheduler, CancellationToken cancellation)
    {
        var command = scheduler.List(Environment.UserName);
        CommandOutput output;
        try
        {
            output = await machine.RunAsync(command, Path.GetTempPath(), cancellation);
        }
        catch (BlockProviderException problem)
        {
            return Finding.Refused(Name, problem.Message, Module(scheduler));
        }

        var answer = output.TimedOut ? new ListAnswer(null, output.Said) : scheduler.ReadList(output, Environment.UserName);
        return answer.Jobs is { } jobs
            ? Finding.Ok(Name, $"{scheduler.Name} answers; it knows {jobs.Count} jobs of yours")
            : Finding.Problem(Name, $"{scheduler.Name} gives no answer to `{command}`: {answer.Message}", "run that command by hand; when it says the same, the controller is away and its administrators can tell more, or this machine submits no jobs");
    }
}
