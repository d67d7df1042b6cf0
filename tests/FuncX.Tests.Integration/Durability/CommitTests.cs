using System.Globalization;
using FuncX.Tests.Integration.Harness;
using Microsoft.Data.Sqlite;

namespace FuncX.Tests.Integration.Durability;

public sealed class CommitTests
{
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

    [Fact]
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
