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

    // By the scheduler and the command that asks; plain qstat of PBS has a form of its own.
    private static readonly Dictionary<string, StatusQuery> s_queries = new(StringComparer.Ordinal)
    {
        ["slurm squeue"] = s_slurm.Queries[0],
        ["slurm sacct"] = s_slurm.Queries[1],
        ["slurm scontrol"] = s_slurm.Queries[2],
        ["openpbs qstat -f"] = s_pbs.Queries[0],
        ["openpbs qstat -F json"] = s_pbs.Queries[1],
        ["openpbs qstat"] = s_pbs.Queries[3],
        ["cobalt qstat"] = s_cobalt.Queries[0],
    };

    private static readonly Dictionary<string, Func<CommandOutput, string>> s_readers = new(StringComparer.Ordinal)
    {
        ["slurm sbatch"] = static output => Text(s_slurm.ReadSubmit(output)),
        ["slurm scancel"] = static output => Text(s_slurm.ReadCancel(output)),
        ["openpbs qsub"] = static output => Text(s_pbs.ReadSubmit(output)),
        ["openpbs qdel"] = static output => Text(s_pbs.ReadCancel(output)),
        ["openpbs qselect"] = static output => Text(s_pbs.ReadList(output, "user")),
        ["cobalt qsub"] = static output => Text(s_cobalt.ReadSubmit(output)),
        ["cobalt qdel"] = static output => Text(s_cobalt.ReadCancel(output)),
        ["cobalt cobaltlog"] = static output => s_cobalt.ReadEnd(s_job, "1", _ => output.Output) is { } end ? Text(end) : "nothing",
    };

    /// <param name="reader">Of <see cref="ReaderOf"/>.</param>
    /// <param name="output">What is read as the answer.</param>
    public static string Of(string reader, CommandOutput output)
    {
        if (s_readers.TryGetValue(reader, out var read))
            return read(output);
        return s_queries.TryGetValue(reader, out var query) ? Text(query, output) : OfAll(reader, output);
    }

    /// <summary>
    /// What reads the answer to a recording's command: <c>slurm squeue</c>, of PBS's <c>qstat</c> also the form that was asked for; the scheduler alone for a command that nothing of ours gives.
    /// </summary>
    public static string ReaderOf(string scheduler, Recording asked)
    {
        var command = CommandOf(scheduler, asked);
        if (command != "openpbs qstat")
            return command;
        return asked.Command.Contains(" -F json", StringComparison.Ordinal) ? $"{command} -F json" : asked.Command.Contains(" -f", StringComparison.Ordinal) ? $"{command} -f" : command;
    }

    /// <summary>The same, of whatever form.</summary>
    public static string CommandOf(string scheduler, Recording asked)
    {
        // What was recorded without a server or a configuration says so before the command.
        var program = asked.Name.Split('-').First(static word => word is not ("down" or "no" or "conf" or "config" or "unknown" or "host"));
        var (of, command) = (scheduler.Split('-')[0], $"{scheduler.Split('-')[0]} {program}");
        return s_readers.ContainsKey(command) || s_queries.ContainsKey(command) ? command : of;
    }

    /// <summary>What a recording's output would say as the answer to a question about jobs.</summary>
    public static StatusAnswer Answer(string scheduler, Recording asked, CommandOutput output) => s_queries[ReaderOf(scheduler, asked)].Read(output);

    /// <summary>What it would say as the answer to each of the scheduler's questions about jobs.</summary>
    public static IEnumerable<StatusAnswer> Answers(string scheduler, CommandOutput output) => Scheduler(scheduler).Queries.Select(query => query.Read(output));

    /// <summary>Whether it would be taken for a list of jobs.</summary>
    public static bool IsList(string scheduler, CommandOutput output) => Scheduler(scheduler).ReadList(output, "user").Jobs is not null;

    private static IBatchScheduler Scheduler(string name) => name.Split('-')[0] switch { "slurm" => s_slurm, "openpbs" => s_pbs, _ => s_cobalt };

    // What all that read about jobs make of it, which is the same.
    private static string OfAll(string scheduler, CommandOutput output) => string.Join(" / ", Scheduler(scheduler).Queries.Select(query => Text(query, output)).Distinct(StringComparer.Ordinal));

    private static string Text(StatusQuery query, CommandOutput output) => output.TimedOut ? "away" : Text(query.Read(output));

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
