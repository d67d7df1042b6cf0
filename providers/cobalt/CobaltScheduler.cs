using FuncX.Providers.Batch;

namespace FuncX.Providers.Cobalt;

/// <summary>Cobalt: qsub, qstat, qdel (their manual pages; recorded with 1.0.33, cluster system).</summary>
public sealed class CobaltScheduler(CobaltSettings settings) : IBatchScheduler
{
    public string Name => "cobalt";

    /// <summary>One question: a job that has ended is in none, and its log in the block's directory tells how.</summary>
    public IReadOnlyList<StatusQuery> Queries { get; } = [new StatusQuery(static ids => new("qstat", ["--header", QstatTable.Header, .. ids]), QstatTable.Read)];

    public string Script(BatchJob job) => BatchScript.Compose("#COBALT", Directives(job), job.Block.OverMpi ? new AgentPerBlock(settings.Walltime).Lines(job) : Managers(job).Lines(job));

    // -O names the three files of a job: .output, .error and .cobaltlog.
    public SchedulerCommand Submit(BatchJob job) => new("qsub", ["-O", LogPrefix(job), "--cwd", job.Block.Directory, .. Variables(), "--mode", "script", job.ScriptPath]);

    public SubmitAnswer ReadSubmit(CommandOutput output) => QsubAnswer.Read(output);

    public bool IsJobId(string text) => text.Length is > 0 and <= 10 && text.All(char.IsAsciiDigit);

    public JobReport? ReadEnd(BatchJob job, string jobId, Func<string, string?> file) =>
        CobaltLog.Read(file($"{LogPrefix(job)}.cobaltlog") ?? file(Path.Combine(job.Block.Directory, $"{jobId}.cobaltlog")) ?? "");

    public SchedulerCommand Cancel(string jobId) => new("qdel", jobId);

    // 0 and silent also for jobs that are over, and for those of others: where the job stands says qstat.
    public CancelAnswer ReadCancel(CommandOutput output) => output.ExitCode == 0
        ? new CancelAnswer(CancelKind.Taken)
        : new CancelAnswer(CobaltErrors.IsAway(output) ? CancelKind.Away : CancelKind.Refused, output.Said);

    public SchedulerCommand List(string user) => new("qstat", "-u", user, "--header", QstatTable.Header);

    public ListAnswer ReadList(CommandOutput output, string user)
    {
        var answer = QstatTable.Read(output);
        return answer.Kind == AnswerKind.Answered
            ? new ListAnswer([.. answer.Jobs.Select(static job => new JobListing(job.Key, job.Value.Name, job.Value.Condition.IsEnd()))])
            : new ListAnswer(null, answer.Message);
    }

    // Ends with the job's name: whether qstat calls a job by --jobname or by this, it is the same.
    private static string LogPrefix(BatchJob job) => Path.Combine(job.Block.Directory, job.Name);

    // As qsub(1) has them, values with a backslash before : and = (recorded: qsub-odd-env-colon). Not in the script, whose lines are split at spaces.
    private string[] Variables() => settings.Environment.Count == 0 ? [] :
    [
        "--env", string.Join(':', settings.Environment.OrderBy(static variable => variable.Key, StringComparer.Ordinal)
            .Select(static variable => $"{variable.Key}={variable.Value.Replace(":", "\\:", StringComparison.Ordinal).Replace("=", "\\=", StringComparison.Ordinal)}")),
    ];

    // On a Cray the script runs on a service node and aprun alone reaches the nodes, also a single one, which COBALT_PARTNAME names by its number (Cobalt's alps_script_forker.py). On a cluster the
    // script runs on the first of them, whose name is there (recorded: env-1node, env-3nodes). Elsewhere no manager is started.
    private ManagerPerNode Managers(BatchJob job) => new("$(hostname)", "\"${ALPS_APP_PE:-${PMI_RANK:-0}}\"", "\"${launch[@]}\"",
        settings.Walltime,
        [
            "first=\"${COBALT_PARTNAME:-$HOSTNAME}\"",
            "if command -v aprun >/dev/null; then",
            $"    launch=(aprun -n {job.Block.Nodes} -N 1 -cc none)",
            .. job.Block.Nodes == 1 ? OnFirstNode() : ByMpiexec(job),
            "else",
            $"    echo \"nothing is in PATH that reaches the job's nodes ($first) from $HOSTNAME: {Cure(job)}\" >&2",
            "    echo 1 >\"$block/exit\"",
            "    exit 1",
            "fi",
        ]);

    private static string[] OnFirstNode() => ["elif [ \"${first%%.*}\" = \"${HOSTNAME%%.*}\" ]; then", "    launch=()"];

    // The file may begin with its own path and a colon (recorded: nodefile-3nodes).
    private static string[] ByMpiexec(BatchJob job) =>
    [
        "elif command -v mpiexec >/dev/null && [ -r \"${COBALT_NODEFILE:-}\" ]; then",
        "    grep -v ':$' \"$COBALT_NODEFILE\" >\"$block/nodes\"",
        $"    launch=(mpiexec -f \"$block/nodes\" -n {job.Block.Nodes} -ppn 1)",
    ];

    private static string Cure(BatchJob job) => job.Block.Nodes == 1
        ? "add aprun's directory to PATH in provider.init (module load alps), or, when this is that node by another name, export COBALT_PARTNAME=\\$HOSTNAME there"
        : "add the directory of aprun (module load alps), or of an mpiexec that takes -f COBALT_NODEFILE, to PATH in provider.init";

    private IEnumerable<string> Directives(BatchJob job)
    {
        yield return $"-n {job.Block.Nodes}";
        yield return $"-t {(int)Math.Ceiling(settings.Walltime.TotalMinutes)}";
        yield return $"--jobname {job.Name}";
        if ((settings.Reservation ?? settings.Queue) is { } queue)
            yield return $"-q {BatchScript.Word("provider.queue", queue)}";
        if (settings.Account is not null)
            yield return $"-A {BatchScript.Word("provider.account", settings.Account)}";
        if (settings.Filesystems.Count + settings.Attributes.Count > 0)
            yield return $"--attrs {BatchScript.Word("provider.attributes", string.Join(':', [.. settings.Filesystems.Count > 0 ? [$"filesystems={string.Join(',', settings.Filesystems)}"] : (string[])[], .. settings.Attributes]))}";
        foreach (var directive in settings.Directives)
            yield return directive;
    }
}
