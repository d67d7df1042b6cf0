using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using FuncX.Service.Limits;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncX.Bench.Store;

/// <summary>The task store alone, in this process: durable appends, bytes on disk, restart.</summary>
internal sealed class StoreBench : IBench
{
    private const int BodyBytes = 64;
    private const int PerBatch = 1_000;

    public string Name => "store";

    public string Needs => "the task store alone: appends in batches of 1,000 and of 1 from 64 writers, bytes per task, restart with 1,000,000 live and 10,000,000 finished";

    public async Task RunAsync(BenchSettings settings, Report report)
    {
        var directory = LocalCluster.NewDirectory("store");
        try
        {
            await AppendsAsync(settings, report, Path.Combine(directory, "appends"));
            await RestartAsync(settings, report);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task AppendsAsync(BenchSettings settings, Report report, string directory)
    {
        var tasks = settings.TasksOr(1_000_000, 50_000);
        List<double> batched = [], single = [];
        for (var run = 0; run < settings.RunsOr(3); run++)
        {
            var path = $"{directory}-{run}";
            using var store = TaskStore.Open(path);
            using var engine = Engine(store);
            if (run == 0)
                report.Note($"store: journal_mode {store.JournalMode}, synchronous {store.Synchronous}, read back from the connection that commits");
            await AppendAsync(engine, 20 * PerBatch, PerBatch, 8);
            batched.Add(await AppendAsync(engine, tasks, PerBatch, 8));
            var commits = engine.Commits;
            single.Add(await AppendAsync(engine, tasks / 10, 1, 64));
            report.Print(string.Create(
                CultureInfo.InvariantCulture, $"run {run + 1}: {batched[^1]:#,0}/s in batches of {PerBatch}, {single[^1]:#,0}/s of 1 by 64 writers ({tasks / 10.0 / (engine.Commits - commits):0.0} per commit)"));
        }

        report.Figure("appends_per_s", Median.Of(batched));
        report.Figure("appends_per_s_batch1", Median.Of(single));
    }

    /// <summary>A data directory that a real service filled with finished tasks and live ones on top, opened again after a kill.</summary>
    private static async Task RestartAsync(BenchSettings settings, Report report)
    {
        var finished = settings.Quick ? 50_000 : 10_000_000;
        var live = settings.TasksOr(1_000_000, 10_000);
        await using var cluster = await LocalCluster.StartServiceAsync();
        var payload = await EchoEndpoint.RunAsync(cluster, finished, PerBatch, BodyBytes);
        await cluster.Service.StopAsync();
        var directory = cluster.Service.DataDirectory;
        using (var store = TaskStore.Open(directory))
            report.Figure("bytes_per_task", (double)(store.UsedBytes - payload) / finished);
        await cluster.Service.StartAsync();
        await EchoEndpoint.QueueAsync(cluster, live, PerBatch, BodyBytes);
        // Killed: no snapshot of a clean stop makes it easy.
        await cluster.Service.KillAsync();

        var clock = Stopwatch.StartNew();
        using var opened = TaskStore.Open(directory);
        using var again = Engine(opened);
        var seconds = clock.Elapsed.TotalSeconds;
        var unfinished = await again.LookAsync(static state => state.Unfinished);
        if (unfinished != live)
            throw new InvalidDataException($"{live} live tasks were accepted, {unfinished} are there after the restart");
        report.Figure("restart_s", seconds);
        report.Note(string.Create(
            CultureInfo.InvariantCulture, $"restart: {live:#,0} live tasks of {BodyBytes} B over {finished:#,0} finished, tasks.db uses {opened.UsedBytes / 1e6:#,0} MB; the file cache is warm"));
    }

    private static TaskEngine Engine(TaskStore store) => new(store, new ServiceLimits(), TimeProvider.System, NullLogger<TaskEngine>.Instance);

    /// <summary>Submits from so many writers, each waiting for its answer before the next, and gives tasks per second.</summary>
    private static async Task<double> AppendAsync(TaskEngine engine, int tasks, int perBatch, int writers)
    {
        var bodies = RandomNumberGenerator.GetBytes(perBatch * BodyBytes);
        var left = tasks / perBatch;
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, writers).Select(async _ =>
        {
            await Task.Yield();
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var outcome = await engine.SubmitAsync(
                    new SubmissionRecord
                    {
                        Key = new BatchKey(ServiceApi.NewBatch(), 1),
                        Function = 1,
                        Endpoint = 1,
                        Group = "bench",
                        ContentType = ContentType.Octets,
                        Content = (UInt128)Random.Shared.NextInt64(),
                        Accepted = engine.Now,
                        Count = perBatch,
                        SameLength = BodyBytes,
                        Bodies = bodies,
                    },
                    "endpoint", "function", inline: false);
                if (outcome.Status != Grpc.Core.StatusCode.OK || outcome.Already)
                    throw new InvalidDataException($"an append was answered {outcome}");
            }
        }));
        return tasks / clock.Elapsed.TotalSeconds;
    }
}
