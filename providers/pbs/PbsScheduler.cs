using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>OpenPBS, PBS Professional and TORQUE: qsub, qstat, qdel, qselect (their manual pages; recorded with OpenPBS 23.06).</summary>
public sealed class PbsScheduler(PbsSettings settings) : IBatchScheduler
{
    public string Name => "pbs";

    /// <summary>
    /// The text about all jobs at once; JSON about each that could not be read of it, since of several ids the JSON of 23.06 has the first one only (recorded: two running jobs, exit code
    /// 0, one of them printed); without history, what is not finished; the plain table for what could be read nowhere.
    /// </summary>
    public IReadOnlyList<StatusQuery> Queries { get; } = settings.Variant == PbsVariant.Torque
        ? [new StatusQuery(static ids => new("qstat", ["-f", .. ids]), QstatText.Read)]
        :
        [
            new StatusQuery(static ids => new("qstat", ["-x", "-f", .. ids]), QstatText.Read),
            new StatusQuery(static ids => new("qstat", ["-x", "-f", "-F", "json", .. ids]), QstatJson.Read) { MostIds = 1, IsRepeated = true },
            new StatusQuery(static ids => new("qstat", ["-f", .. ids]), QstatText.Read) { IsRepeated = true },
            new StatusQuery(static ids => new("qstat", [.. ids]), QstatTable.Read) { IsRepeated = true, LacksNames = true },
        ];

    public string Script(BatchJob job) => BatchScript.Compose("#PBS", Directives(job), job.Block.OverMpi ? new AgentPerBlock(settings.Walltime, FindCommands).Lines(job) : Managers(job).Lines(job));

    // Paths stand here and not in the script, whose options are split at spaces. A colon would make a host of what is before it.
    public SchedulerCommand Submit(BatchJob job) =>
        new("qsub", "-j", "oe", "-o", job.LogPath.Contains(':', StringComparison.Ordinal) ? "/dev/null" : job.LogPath, job.ScriptPath);

    public SubmitAnswer ReadSubmit(CommandOutput output) => QsubAnswer.Read(output);

    // 123.server, 123[].server of an array; as an argument it begins with a digit.
    public bool IsJobId(string text) => text.Length is > 0 and <= 256 && char.IsAsciiDigit(text[0]) && text.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_' or '[' or ']');

    // One at a time: a known and an unknown id in one command were the end of a pbs_server.
    public SchedulerCommand Cancel(string jobId) => new("qdel", jobId);

    public CancelAnswer ReadCancel(CommandOutput output)
    {
        if (output.ExitCode is 0 or PbsErrors.UnknownJob or PbsErrors.HistoryJob)
            return new CancelAnswer(CancelKind.Taken);
        return new CancelAnswer(PbsErrors.IsAway(output) ? CancelKind.Away : CancelKind.Refused, output.Said);
    }

    public SchedulerCommand List(string user) => new("qselect", "-u", user);

    // Of no jobs it prints nothing: what is no list of ids must not be taken for that.
    public ListAnswer ReadList(CommandOutput output, string user)
    {
        if (output.ExitCode != 0)
            return new ListAnswer(null, output.Said);
        var ids = output.Lines.Select(static line => line.Trim()).ToArray();
        if (output.EndsInLine || Array.Find(ids, id => !IsJobId(id)) is not null)
            return new ListAnswer(null, $"it printed what is no list of ids: '{output.Said}'");
        return new ListAnswer([.. ids.Select(static id => new JobListing(id, null))]);
    }

    private static IReadOnlyList<string> FindCommands { get; } =
    [
        "# PBS's own programs are in the PATH of who submitted, not in a job's.",
        "PATH=\"$PATH:${PBS_O_PATH:-}\"",
        "[ ! -r \"${PBS_CONF_FILE:-/etc/pbs.conf}\" ] || PATH=\"$PATH:$(. \"${PBS_CONF_FILE:-/etc/pbs.conf}\"; echo \"${PBS_EXEC:-}\")/bin\"",
    ];

    // pbsdsh starts its words once for each chunk (TORQUE with -u: for each host), with the job's environment and not the script's; one node needs no help.
    private ManagerPerNode Managers(BatchJob job) => job.Block.Nodes == 1
        ? new ManagerPerNode("$(hostname)", "0", "", settings.Walltime)
        : new ManagerPerNode("$(hostname)", "\"${PBS_TASKNUM:-0}\"", settings.Variant == PbsVariant.Torque ? "pbsdsh -u" : "pbsdsh --",
            settings.Walltime, FindCommands);

    private IEnumerable<string> Directives(BatchJob job)
    {
        yield return $"-N {job.Name}";
        yield return "-S /bin/bash";
        if (settings.Variant == PbsVariant.Torque)
            yield return $"-l nodes={job.Block.Nodes}:ppn={settings.CoresPerNode}";
        else
        {
            yield return $"-l select={job.Block.Nodes}:{BatchScript.Word("provider.select", settings.Select ?? $"ncpus={settings.CoresPerNode}")}";
            yield return $"-l place={BatchScript.Word("provider.place", settings.Place)}";
        }

        yield return $"-l walltime={BatchScript.Clock(settings.Walltime)}";
        if (settings.Filesystems.Count > 0)
            yield return $"-l filesystems={BatchScript.Word("provider.filesystems", string.Join(':', settings.Filesystems))}";
        if ((settings.Reservation ?? settings.Queue) is { } queue)
            yield return $"-q {BatchScript.Word("provider.queue", queue)}";
        if (settings.Account is not null)
            yield return $"-A {BatchScript.Word("provider.account", settings.Account)}";
        foreach (var directive in settings.Directives)
            yield return directive;
    }
}
