using System.Globalization;
using System.Text;
using System.Text.Json;
using FuncX.Providers.Batch;
using FuncX.Providers.Cobalt;
using FuncX.Providers.Pbs;
using FuncX.Providers.Slurm;

namespace FuncX.Bench.Schedulers;

/// <summary>What a scheduler would print of a thousand running jobs: a recording of one, repeated with other ids.</summary>
internal sealed record JobListings(string Scheduler, string Command, StatusQuery Query, CommandOutput Output)
{
    public const int Jobs = 1_000;

    private static readonly TimeSpan s_walltime = TimeSpan.FromHours(1);

    public static IEnumerable<JobListings> All =>
    [
        Of(new SlurmScheduler(new SlurmSettings { Walltime = s_walltime }), "slurm-22.05", "squeue-after-ctld-restart", "104"),
        Of(new PbsScheduler(new PbsSettings { Walltime = s_walltime }), "openpbs-23.06", "qstat-f-without-x-r", "67.head"),
        Of(new CobaltScheduler(new CobaltSettings { Walltime = s_walltime }), "cobalt-1.0.33", "qstat-header-running-3nodes", "18"),
    ];

    private static JobListings Of(IBatchScheduler scheduler, string recordings, string name, string id)
    {
        var query = scheduler.Queries[0];
        var one = Recorded(recordings, name);
        // The id stands once where a job begins; what stands before that stands once in all.
        var at = one.IndexOf(id, StringComparison.Ordinal);
        var begin = one.LastIndexOf('\n', Math.Max(0, at - 1)) + 1;
        var text = new StringBuilder(one[..begin]);
        var number = id.Split('.')[0];
        for (var job = 1; job <= Jobs; job++)
        {
            var own = (job + 1_000).ToString(CultureInfo.InvariantCulture);
            var rest = one[(at + number.Length)..];
            // In a table the columns stay where they are.
            var wider = new string(' ', own.Length - number.Length);
            text.Append(one[begin..at]).Append(own).Append(wider.Length > 0 && rest.StartsWith(wider, StringComparison.Ordinal) ? rest[wider.Length..] : rest);
        }

        return new JobListings(scheduler.Name, query.Command(["1001"]).ToString(), query, new CommandOutput(0, text.ToString(), ""));
    }

    private static string Recorded(string recordings, string name)
    {
        foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "recordings", recordings + ".jsonl")))
        {
            using var recording = JsonDocument.Parse(line);
            if (recording.RootElement.GetProperty("name").GetString() == name)
                return recording.RootElement.GetProperty("stdout").GetString()!;
        }

        throw new InvalidDataException($"{recordings}.jsonl has no recording {name}");
    }
}
