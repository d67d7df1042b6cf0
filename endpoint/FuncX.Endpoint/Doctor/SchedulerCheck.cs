using FuncX.Configuration;
using FuncX.Providers;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>
/// Whether the scheduler's commands are in PATH, whether its controller answers the provider's own question for the user's jobs, and whether it takes the question that tells how they ended.
/// </summary>
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
        var answer = await AskAsync(scheduler, cancellation);
        return [.. Helpers(scheduler, needed), answer, .. answer.State == FindingState.Ok && await HistoryAsync(scheduler, cancellation) is { } history ? (Finding[])[history] : []];
    }

    // Without them the provider knows less of how jobs ended, and works.
    private IEnumerable<Finding> Helpers(IBatchScheduler scheduler, string[] needed) => scheduler.Queries.Skip(1).Select(static query => query.Command([AnyId]).Program).Except(needed, StringComparer.Ordinal)
        .Where(program => machine.Find(program) is null)
        .Select(program => Finding.Warning(Name, $"{program} of {scheduler.Name} is not in PATH, so that less is known of how jobs ended", Module(scheduler)));

    private static string Module(IBatchScheduler scheduler) => $"put the directory of its commands into PATH: `module load {scheduler.Name}` at most sites that have modules";

    // A PBS server keeps none unless it is told to: the provider then asks for running jobs only.
    private async Task<Finding?> HistoryAsync(IBatchScheduler scheduler, CancellationToken cancellation)
    {
        var command = scheduler.Queries[0].Command([AnyId]);
        var output = await machine.RunAsync(command, Path.GetTempPath(), cancellation);
        return !output.TimedOut && scheduler.Queries[0].Read(output) is { Kind: AnswerKind.NotHere } answer
            ? Finding.Warning(Name, $"{scheduler.Name} does not tell how jobs ended, so that a block's end is known from its script alone (\"{answer.Message}\")",
                "ask its administrators for job history (`qmgr -c 'set server job_history_enable = True'`); without it a block whose script left no exit status is lost after a minute")
            : null;
    }

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
