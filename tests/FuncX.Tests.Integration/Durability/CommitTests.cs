using System.Diagnostics;
using System.Globalization;
using FuncX.Tests.Integration.Harness;
using Grpc.Core;
using Microsoft.Data.Sqlite;

namespace FuncX.Tests.Integration.Durability;

[Trait(Beside.Name, Beside.Scenarios)]
public sealed class CommitTests
{
    private static readonly TimeSpan SyncDelay = TimeSpan.FromMilliseconds(400);

    [Fact]
    public async Task Every_submission_is_on_disk_before_its_reply()
    {
        const int Submissions = 50;
        File.Exists("/usr/bin/strace").ShouldBeTrue("strace counts the calls; tests/run installs it");
        var trace = Path.Combine(LocalCluster.NewDirectory("trace"), "syncs");
        var cluster = await LocalCluster.StartServiceAsync(null, null, "/usr/bin/strace", "-f", "-e", "trace=fdatasync,fsync", "-o", trace);
        await Scenario.RunAsync(cluster, async _ =>
        {
            var function = await cluster.Api.RegisterAsync(Python.Square, "square");
            var endpoint = (await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "never-there" }, cluster.Api.Headers)).EndpointId;
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, endpoint, "warm", ["[1]"]));

            var before = Syncs(trace);
            for (var i = 0; i < Submissions; i++)
            {
                // Nothing else is in flight, so each reply needs a commit of its own.
                var counted = Syncs(trace);
                await cluster.Api.SubmitAsync(ServiceApi.Request(function, endpoint, "one", [$"[{i}]"]));
                Syncs(trace).ShouldBeGreaterThan(counted, $"submission {i} was acknowledged without fdatasync");
            }

            Scenario.Note("fdatasync", string.Create(CultureInfo.InvariantCulture, $"{Syncs(trace) - before} fdatasync/fsync for {Submissions} submissions, one at a time"));
        });
        File.Delete(trace);
    }

    /// <summary>
    /// Counting shows that a reply and a sync go together, not which is first. Here every sync is held up before it begins: a reply that did not wait for it comes sooner.
    /// </summary>
    [Fact]
    public async Task A_submission_is_answered_only_after_its_sync_has_ended()
    {
        await Scenario.RunAsync(await StartSlowDiskAsync(), async cluster =>
        {
            var function = await cluster.Api.RegisterAsync(Python.Square, "square");
            var endpoint = (await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "never-there" }, cluster.Api.Headers)).EndpointId;
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, endpoint, "warm", ["[1]"]));
            for (var i = 0; i < 5; i++)
            {
                var request = ServiceApi.Request(function, endpoint, "one", [$"[{i}]"]);
                var clock = Stopwatch.StartNew();
                await cluster.Api.SubmitAsync(request);
                clock.Elapsed.ShouldBeGreaterThanOrEqualTo(SyncDelay, $"submission {i} was acknowledged before its sync was over");
            }

            // Large arguments have a sync of their own before the one of the batch. The first also begin a file, whose directory is synced.
            string[] arguments = [$"[\"{new string('x', 200_000)}\"]"];
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, endpoint, "warm", arguments));
            var large = ServiceApi.Request(function, endpoint, "large", arguments);
            var both = Stopwatch.StartNew();
            await cluster.Api.SubmitAsync(large);
            both.Elapsed.ShouldBeGreaterThanOrEqualTo(2 * SyncDelay, "large arguments were acknowledged before both syncs were over");

            // On the open stream, which clients use, as well.
            using var stream = cluster.Api.Tasks.SubmitStream(cluster.Api.Headers);
            for (var i = 0; i < 5; i++)
            {
                var request = ServiceApi.Request(function, endpoint, "stream", [$"[{i}]"]);
                var clock = Stopwatch.StartNew();
                await stream.RequestStream.WriteAsync(request);
                (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
                stream.ResponseStream.Current.ErrorCode.ShouldBe(0, stream.ResponseStream.Current.ToString());
                clock.Elapsed.ShouldBeGreaterThanOrEqualTo(SyncDelay, $"submission {i} of the stream was acknowledged before its sync was over");
            }

            await stream.RequestStream.CompleteAsync();
        });
    }

    [Fact]
    public async Task A_result_is_acknowledged_to_the_endpoint_and_shown_to_the_client_only_after_its_sync_has_ended()
    {
        await Scenario.RunAsync(await StartSlowDiskAsync(), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions());
            // The result is the time at which it was made: whoever has it, or an acknowledgement of it, has it later than this by the sync.
            var now = await cluster.Api.RegisterAsync("import time\ndef now(x):\n    return time.time_ns()\n", "now");
            for (var i = 1; i <= 3; i++)
            {
                var group = SharedCluster.NewGroup();
                await cluster.Api.SubmitAsync(ServiceApi.Request(now, cluster.EndpointId, group, [$"[{i}]"]));
                var shown = ShownAsync(cluster, group);
                await Eventually.TrueAsync(async () => await CommittedAsync(cluster) >= i, $"the service has acknowledged {i} result(s)");
                var acknowledgedAt = DateTime.UtcNow;
                var (value, shownAt) = await shown;
                var madeAt = DateTime.UnixEpoch.AddTicks(long.Parse(value, CultureInfo.InvariantCulture) / 100);
                (acknowledgedAt - madeAt).ShouldBeGreaterThanOrEqualTo(SyncDelay, $"result {i} was acknowledged to the endpoint before its sync was over");
                (shownAt - madeAt).ShouldBeGreaterThanOrEqualTo(SyncDelay, $"result {i} was shown to the client before its sync was over");
            }
        });
    }

    /// <summary>
    /// What the system could not write it may drop, so that the next sync of the same file succeeds and says nothing of it: a body is durable only when no sync of
    /// its file has failed.
    /// </summary>
    [Fact]
    public async Task Large_arguments_that_the_disk_does_not_take_are_refused_and_the_next_go_to_another_file()
    {
        File.Exists("/usr/bin/strace").ShouldBeTrue("strace makes the call fail; tests/run installs it");
        await Scenario.RunAsync(await LocalCluster.StartAsync(new EndpointOptions()), async cluster =>
        {
            var size = await cluster.Api.RegisterAsync("def size(x):\n    return len(x)\n", "size");
            await cluster.Api.SubmitAsync(Large("g", 100_000));

            var again = Large("g", 200_000);
            await using (await FailingSync.OfThreadAsync(cluster.Service.Identity, "segment sync", ":when=1", Path.Combine(cluster.DirectoryPath, "strace.log")))
            {
                var refused = await Should.ThrowAsync<RpcException>(async () => await cluster.Api.Tasks.SubmitAsync(again, cluster.Api.Headers));
                refused.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
                refused.Status.Detail.ShouldContain("was not written to the disk: Input/output error");
                await cluster.Api.SubmitAsync(Large("g", 300_000));
            }

            await cluster.Api.SubmitAsync(again);
            var results = await cluster.Api.WaitAsync("g", 3);
            results.Values.Select(static result => result.Text).Order(StringComparer.Ordinal).ShouldBe(["100000", "200000", "300000"]);
            Directory.GetFiles(Path.Combine(cluster.Service.DataDirectory, "segments")).Length.ShouldBe(2);

            SubmitRequest Large(string group, int length) => ServiceApi.Request(size, cluster.EndpointId, group, [$"[\"{new string('x', length)}\"]"]);
        });
    }

    /// <summary>The endpoint sends it again over one link after the other, for as long as the disk refuses it.</summary>
    [LongFact]
    public async Task A_large_result_that_the_disk_does_not_take_has_no_room_each_time_it_comes()
    {
        await Scenario.RunAsync(await LocalCluster.StartAsync(new EndpointOptions()), async cluster =>
        {
            var repeat = await cluster.Api.RegisterAsync("def repeat(n):\n    return 'x' * n\n", "repeat");
            await cluster.Api.SubmitAsync(ServiceApi.Request(repeat, cluster.EndpointId, "first", ["[100000]"]));
            await cluster.Api.WaitAsync("first", 1);
            var segments = Path.Combine(cluster.Service.DataDirectory, "segments");
            await using (await FailingSync.OfThreadAsync(cluster.Service.Identity, "segment sync", "", Path.Combine(cluster.DirectoryPath, "strace.log")))
            {
                await cluster.Api.SubmitAsync(ServiceApi.Request(repeat, cluster.EndpointId, "second", ["[1000000]"]));
                await Eventually.TrueAsync(() => Directory.GetFiles(segments).Length > 4, "it has come four times");
                // Of one that is on its way just now too.
                (await AllocatedAsync(segments)).ShouldBeLessThan(2_500_000);
            }

            (await cluster.Api.WaitAsync("second", 1)).Values.ShouldHaveSingleItem().Text.Length.ShouldBe(1_000_002);
        });

        static async Task<long> AllocatedAsync(string directory)
        {
            var (exitCode, output) = await Daemon.RunAsync(["/usr/bin/du", "-s", "-B1", directory], $"{directory}.du", Eventually.Patience);
            exitCode.ShouldBe(0, output);
            return long.Parse(output.Split('\t')[0], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>What a failed commit has written to the log is there for the next process to read, and may be whole.</summary>
    [LongFact]
    public async Task A_large_result_whose_commit_failed_is_there_after_a_kill()
    {
        await Scenario.RunAsync(await LocalCluster.StartAsync(new EndpointOptions()), async cluster =>
        {
            var go = Path.Combine(cluster.DirectoryPath, "go");
            var function = await cluster.Api.RegisterAsync(
                "import os, time\ndef late(go, n):\n    while not os.path.exists(go):\n        time.sleep(0.01)\n    return 'x' * n\n", "late");
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "g", [$"[\"{go}\", 1000000]"]));
            await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("g")).Dispatched == 1, "the task is at the endpoint");
            var log = Path.Combine(cluster.Service.DataDirectory, "tasks.db-wal");
            await using (await FailingSync.OfAsync(cluster.Service.Identity, Path.Combine(cluster.DirectoryPath, "strace.log"), log))
            {
                await File.WriteAllTextAsync(go, "");
                // The link is ended behind everything else that comes of it, and within a second another commit is tried.
                await Eventually.TrueAsync(
                    () => cluster.Service.Tail.Contains("no room in", StringComparison.Ordinal) && cluster.Service.Tail.Contains("closed: epoch 1", StringComparison.Ordinal),
                    "the commit has failed",
                    seen: () => cluster.Service.Tail);
                await cluster.Service.KillAsync();
            }

            await cluster.Service.StartAsync();
            (await cluster.Api.WaitAsync("g", 1)).Values.ShouldHaveSingleItem().Text.Length.ShouldBe(1_000_002);
        });
    }

    [Fact]
    public async Task A_file_of_large_arguments_whose_directory_cannot_be_synced_is_not_begun() => await Scenario.RunAsync(await LocalCluster.StartServiceAsync(), async cluster =>
    {
        var size = await cluster.Api.RegisterAsync("def size(x):\n    return len(x)\n", "size");
        var endpoint = (await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "away" }, cluster.Api.Headers)).EndpointId;
        var large = ServiceApi.Request(size, endpoint, "g", [$"[\"{new string('x', 100_000)}\"]"]);
        var segments = Path.Combine(cluster.Service.DataDirectory, "segments");

        await using (await FailingSync.OfAsync(cluster.Service.Identity, Path.Combine(cluster.DirectoryPath, "strace.log")))
        {
            var refused = await Should.ThrowAsync<RpcException>(async () => await cluster.Api.Tasks.SubmitAsync(large, cluster.Api.Headers));
            refused.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
            refused.Status.Detail.ShouldContain($"{segments} was not written to the disk: Input/output error");
            Directory.GetFiles(segments).ShouldBeEmpty("each attempt would leave one");
        }

        await cluster.Api.SubmitAsync(large);
        (await cluster.Api.GroupAsync("g")).Queued.ShouldBe(1);
        Directory.GetFiles(segments).ShouldHaveSingleItem();
    });

    [Fact]
    public Task The_store_runs_in_WAL_mode_with_full_synchronisation() => Scenario.RunAsync(async cluster =>
    {
        var store = Path.Combine(cluster.Service.DataDirectory, "tasks.db");
        await using var connection = new SqliteConnection($"Data Source={store};Mode=ReadOnly;Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode";
        (await command.ExecuteScalarAsync()).ShouldBe("wal");
        // synchronous belongs to a connection: the service says its own in its log, and the count of fdatasync proves it.
        var log = File.ReadAllText(Path.Combine(cluster.DirectoryPath, "service.log"));
        log.ShouldContain("tasks.db open: journal_mode=wal synchronous=2 (2 is FULL)");
        log.ShouldContain("registry.db: journal_mode WAL, synchronous FULL");
    });

    [LongFact]
    public async Task A_hundred_thousand_queued_tasks_survive_a_kill_of_the_service_and_run()
    {
        const int Tasks = 100_000;
        await Scenario.RunAsync(async cluster =>
        {
            var function = await cluster.Api.RegisterAsync(Python.Square, "square");
            (await cluster.Endpoint.StopAsync()).ShouldBe(0);
            var batches = await cluster.SubmitRangeAsync(function, "queued", Tasks);

            await cluster.Service.KillAsync();
            await cluster.Service.StartAsync();

            (await cluster.Api.GroupAsync("queued")).Queued.ShouldBe(Tasks);
            await cluster.Endpoint.StartAsync();
            var results = await cluster.Api.WaitAsync("queued", Tasks, TimeSpan.FromMinutes(2));
            for (var i = 0; i < Tasks; i++)
                results[new TaskId(batches[i / 1_000], (uint)(i % 1_000))].Text.ShouldBe($"{((long)i * i) + 7}");
        });
    }

    /// <summary>A service each of whose syncs is held up before it begins.</summary>
    private static async Task<LocalCluster> StartSlowDiskAsync()
    {
        File.Exists("/usr/bin/strace").ShouldBeTrue("strace holds the calls up; tests/run installs it");
        var delay = string.Create(CultureInfo.InvariantCulture, $"inject=fdatasync,fsync:delay_enter={SyncDelay.TotalMicroseconds}");
        return await LocalCluster.StartServiceAsync(null, null, "/usr/bin/strace", "-f", "-e", "trace=fdatasync,fsync", "-e", delay, "-o", "/dev/null");
    }

    private static async Task<(string Value, DateTime At)> ShownAsync(LocalCluster cluster, string group)
    {
        var result = (await cluster.Api.WaitAsync(group, 1)).Values.Single();
        var at = DateTime.UtcNow;
        result.Outcome.ShouldBe(Outcome.Value, result.Text);
        return (result.Text, at);
    }

    /// <summary>Results that the service has acknowledged to the endpoint, as the endpoint counts them.</summary>
    private static async Task<long> CommittedAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status?.RootElement.GetProperty("dispatch").GetProperty("hops").GetProperty("results_committed").GetInt64() ?? 0;
    }

    private static int Syncs(string trace)
    {
        using var stream = new FileStream(trace, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        var count = 0;
        while (reader.ReadLine() is { } line)
        {
            // A call that another thread's line interrupts is written twice; its end says "resumed".
            if (line.Contains("sync(", StringComparison.Ordinal) && !line.Contains("resumed", StringComparison.Ordinal))
                count++;
        }

        return count;
    }
}
