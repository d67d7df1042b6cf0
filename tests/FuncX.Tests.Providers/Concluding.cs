using System.Globalization;
using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Cobalt;
using FuncX.Providers.Pbs;
using FuncX.Providers.Slurm;

namespace FuncX.Tests.Providers;

/// <summary>What the providers make of a recording, in the words of the tables of conclusions.</summary>
internal static class Concluding
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);
    private static readonly BatchJob s_job = new(new BlockRequest { BlockId = "b1", Endpoint = "test", Nodes = 1, Directory = "/d", Rendezvous = "/d/r", Manager = "/m" });
    private static readonly SlurmScheduler s_slurm = new(new SlurmSettings { Walltime = s_hour });
    private static readonly PbsScheduler s_pbs = new(new PbsSettings { Walltime = s_hour });
    private static readonly CobaltScheduler s_cobalt = new(new CobaltSettings { Walltime = s_hour });

    public static string Of(string scheduler, Recording recording) => Of(scheduler, recording, recording.Output);

    /// <param name="scheduler">The scheduler that was recorded.</param>
    /// <param name="asked">The recording that says which command was given: the beginning of its name, and whether JSON was asked for.</param>
    /// <param name="output">What is read as the answer.</param>
    public static string Of(string scheduler, Recording asked, CommandOutput output)
    {
        var kind = asked.Name.Split('-')[0];
        return (scheduler[..4], kind) switch
        {
            (_, "qstat" or "squeue" or "sacct" or "scontrol" or "down" or "no") when output.TimedOut => "away",
            ("slur", "sbatch") => Text(s_slurm.ReadSubmit(output)),
            ("slur", "scancel") => Text(s_slurm.ReadCancel(output)),
            ("slur", "squeue") => Text(s_slurm.Queries[0].Read(output)),
            ("slur", "sacct") => Text(s_slurm.Queries[1].Read(output)),
            ("slur", "scontrol") => Text(s_slurm.Queries[2].Read(output)),
            ("open", "qsub") => Text(s_pbs.ReadSubmit(output)),
            ("open", "qdel") => Text(s_pbs.ReadCancel(output)),
            ("open", "qselect") => Text(s_pbs.ReadList(output, "user")),
            ("open", "qstat") => Text(Answer(scheduler, asked, output)),
            ("open", "down" or "unknown" or "no") => asked.Name switch
            {
                "down-qsub" or "unknown-host-qsub" => Text(s_pbs.ReadSubmit(output)),
                "down-qdel" => Text(s_pbs.ReadCancel(output)),
                "down-qselect" => Text(s_pbs.ReadList(output, "user")),
                _ => Text(Answer(scheduler, asked, output)),
            },
            ("coba", "qsub") => Text(s_cobalt.ReadSubmit(output)),
            ("coba", "qdel") => Text(s_cobalt.ReadCancel(output)),
            ("coba", "qstat" or "no") => Text(s_cobalt.Queries[0].Read(output)),
            ("coba", "cobaltlog") => s_cobalt.ReadEnd(s_job, "1", _ => output.Output) is { } end ? Text(end) : "nothing",
            _ => "no parser",
        };
    }

    /// <summary>What a recording's output would say as the answer to a question about jobs.</summary>
    public static StatusAnswer Answer(string scheduler, Recording asked, CommandOutput output) => (scheduler[..4], asked.Name.Split('-')[0]) switch
    {
        ("slur", "squeue") => s_slurm.Queries[0].Read(output),
        ("slur", "sacct") => s_slurm.Queries[1].Read(output),
        ("slur", _) => s_slurm.Queries[2].Read(output),
        ("open", _) => s_pbs.Queries[asked.Command.Contains("-F json", StringComparison.Ordinal) ? 1 : 0].Read(output),
        _ => s_cobalt.Queries[0].Read(output),
    };

    private static string Text(SubmitAnswer answer) => answer.Kind switch
    {
        SubmitKind.Accepted => $"accepted {answer.Text}",
        SubmitKind.Refused => $"refused {(answer.Key.Length > 0 ? answer.Key : "-")}",
        var kind => kind.ToString().ToLowerInvariant(),
    };

    private static string Text(CancelAnswer answer) => answer.Kind.ToString().ToLowerInvariant();

    private static string Text(ListAnswer answer) => answer.Jobs is { } jobs ? string.Join(' ', ["list", .. jobs.Select(static job => job.Id)]) : "garbled list";

    private static string Text(StatusAnswer answer) => answer.Kind switch
    {
        AnswerKind.Answered when answer.Jobs.Count == 0 => "nothing",
        AnswerKind.Answered => string.Join("; ", answer.Jobs.Select(static job => $"{job.Key} {Text(job.Value)}").Order(StringComparer.Ordinal)),
        AnswerKind.NotHere => "not here",
        var kind => kind.ToString().ToLowerInvariant(),
    };

    // Why a job waits is the scheduler's own word for it, and all that its user can act on.
    private static string Text(JobReport report) => (report.Signal, report.ExitCode) switch
    {
        _ when report.Reason.Length > 0 && report.Condition is JobCondition.Pending or JobCondition.Held or JobCondition.NeverStarts => $"{report.Condition} \"{report.Reason}\"",
        ({ } signal and > 0, _) => string.Create(CultureInfo.InvariantCulture, $"{report.Condition} signal {signal}"),
        (_, { } code) => string.Create(CultureInfo.InvariantCulture, $"{report.Condition} code {code}"),
        _ => report.Condition.ToString(),
    };
}
