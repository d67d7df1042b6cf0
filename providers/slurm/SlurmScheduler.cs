using FuncX.Providers.Batch;

namespace FuncX.Providers.Slurm;

/// <summary>Slurm: sbatch, squeue, sacct, scontrol, scancel (their manual pages; recorded with 22.05).</summary>
public sealed class SlurmScheduler(SlurmSettings settings) : IBatchScheduler
{
    public string Name => "slurm";

    /// <summary>The controller's view first, which does not lag; what it has forgotten (MinJobAge) accounting knows, when it has ended; exit codes where there is no accounting, the controller again.</summary>
    public IReadOnlyList<StatusQuery> Queries { get; } =
    [
        new(static ids => new("squeue", "-h", "-t", "all", "-o", SqueueAnswer.Format, "-j", string.Join(',', ids)), SqueueAnswer.Read),
        new(static ids => new("sacct", "-n", "-X", "-P", "-o", SacctAnswer.Format, "-j", string.Join(',', ids)), SacctAnswer.Read) { IsRecord = true },
        new(static ids => new("scontrol", "show", "job", ids[0]), ScontrolAnswer.Read) { MostIds = 1, IsRepeated = true },
    ];

    // One task per node has all of the allocation's CPUs there. --no-kill twice: a lost node ends neither the job nor the step on the others.
    private ManagerPerNode Managers => new(
        "$SLURMD_NODENAME",
        "$SLURM_NODEID",
        "srun --no-kill --kill-on-bad-exit=0 --ntasks-per-node=1 --cpu-bind=none --mpi=none",
        settings.Walltime,
        // A step does not take this over from the job since 22.05.
        "export SRUN_CPUS_PER_TASK=\"${SLURM_CPUS_PER_TASK:-}\"",
        "[ -n \"$SRUN_CPUS_PER_TASK\" ] || unset SRUN_CPUS_PER_TASK");

    // The agent runs in the batch step, on the first node.
    public string Script(BatchJob job) => BatchScript.Compose("#SBATCH", Directives(job), job.Block.OverMpi ? new AgentPerBlock(settings.Walltime).Lines(job) : Managers.Lines(job));

    public SchedulerCommand Submit(BatchJob job) => new("sbatch", "--parsable", job.ScriptPath);

    public SubmitAnswer ReadSubmit(CommandOutput output) => SbatchAnswer.Read(output);

    public bool IsJobId(string text) => text.Length is > 0 and <= 10 && text.All(char.IsAsciiDigit);

    public SchedulerCommand Cancel(string jobId) => new("scancel", jobId);

    public CancelAnswer ReadCancel(CommandOutput output)
    {
        // Silent and 0 also for jobs that are over or never were: where the job stands says squeue.
        if (output.ExitCode == 0)
            return new CancelAnswer(CancelKind.Taken);
        return new CancelAnswer(SlurmErrors.IsAway(output.Errors) ? CancelKind.Away : CancelKind.Refused, output.Said);
    }

    // Also those that have ended: a job that was over before it was looked for has been submitted all the same.
    public SchedulerCommand List(string user) => new("squeue", "-h", "-t", "all", "-u", user, "-o", SqueueAnswer.Format);

    public ListAnswer ReadList(CommandOutput output, string user)
    {
        var answer = SqueueAnswer.Read(output);
        return answer.Kind == AnswerKind.Answered
            ? new ListAnswer([.. answer.Jobs.Select(static job => new JobListing(job.Key, job.Value.Name, job.Value.Condition.IsEnd()))])
            : new ListAnswer(null, answer.Message);
    }

    private IEnumerable<string> Directives(BatchJob job)
    {
        yield return $"--job-name={job.Name}";
        yield return $"--comment={Quote($"funcx endpoint {job.Block.Endpoint}, block {job.Block.BlockId}")}";
        yield return $"--nodes={job.Block.Nodes}";
        yield return "--ntasks-per-node=1";
        yield return settings.Exclusive ? "--exclusive" : $"--cpus-per-task={settings.CoresPerNode}";
        yield return $"--time={BatchScript.Clock(settings.Walltime)}";
        yield return "--no-kill";
        // A percent sign stands for something in these paths (sbatch, "filename pattern"); two are one.
        yield return $"--output={Quote(job.LogPath.Replace("%", "%%", StringComparison.Ordinal))}";
        yield return "--open-mode=append";
        foreach (var (option, value) in ((string, string?)[])
        [
            ("account", settings.Account), ("partition", settings.Partition), ("qos", settings.Qos), ("reservation", settings.Reservation), ("constraint", settings.Constraint),
            ("gres", settings.Gres), ("gpus-per-node", settings.GpusPerNode?.ToString(System.Globalization.CultureInfo.InvariantCulture)), ("licenses", settings.Licenses),
        ])
        {
            if (value is not null)
                yield return $"--{option}={Quote(value)}";
        }

        foreach (var directive in settings.Directives)
            yield return directive;
    }

    // In these lines sbatch reads quotes and backslashes much as a shell does, and # as the beginning of a comment; nothing is expanded.
    private static string Quote(string value) => ShellText.QuoteIfNeeded(value) == value ? value : $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
