using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>What <c>funcx-endpoint status</c> and the service say of an endpoint, while the causes of it come and go.</summary>
public sealed class EndpointFiguresTests
{
    private const int Workers = 2;

    // Runs until its file is there.
    private const string Hold = """
        import os, time
        def hold(path, number):
            while not os.path.exists(path):
                time.sleep(0.01)
            return number
        """;

    [Fact]
    public Task The_figures_of_an_endpoint_follow_its_tasks_its_workers_and_its_service() => Scenario.RunAsync(new EndpointOptions { WorkersPerNode = Workers }, async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Hold, "hold");
        await SaysAsync(cluster, "nothing has been done", online: true, epoch: 1, busy: 0, open: 0, completed: 0, kept: false);

        var first = Path.Combine(cluster.DirectoryPath, "first");
        await SubmitAsync(cluster, function, "first", first, 5);
        await SaysAsync(cluster, "five tasks are there and two of them run", online: true, epoch: 1, busy: Workers, open: 5, completed: 0, kept: false);
        await ServiceSaysAsync(cluster, "five tasks are there", busy: Workers, open: 5, completed: 0);
        await HopsAsync(cluster, tasks: 5, results: 0);

        await File.WriteAllTextAsync(first, "");
        await cluster.Api.WaitAsync("first", 5);
        await SaysAsync(cluster, "they have ended", online: true, epoch: 1, busy: 0, open: 0, completed: 5, kept: false);
        await ServiceSaysAsync(cluster, "they have ended", busy: 0, open: 0, completed: 5);
        await HopsAsync(cluster, tasks: 5, results: 5);

        // Results that the service cannot take are held here.
        var second = Path.Combine(cluster.DirectoryPath, "second");
        await SubmitAsync(cluster, function, "second", second, 2);
        await SaysAsync(cluster, "two more run", online: true, epoch: 1, busy: Workers, open: 2, completed: 5, kept: false);
        await cluster.Service.KillAsync();
        await File.WriteAllTextAsync(second, "");
        await SaysAsync(cluster, "their results wait for the service", online: false, epoch: 1, busy: 0, open: 0, completed: 7, kept: true);
        await cluster.NoteSaysAsync("no link to the service");
        await cluster.Service.StartAsync();
        await cluster.Api.WaitAsync("second", 2);
        await SaysAsync(cluster, "the service has them", online: true, epoch: 2, busy: 0, open: 0, completed: 7, kept: false);
        await cluster.NoteSaysAsync("");
    });

    private static async Task SubmitAsync(LocalCluster cluster, string function, string group, string path, int count) =>
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, group, Enumerable.Range(0, count).Select(number => JsonSerializer.Serialize(new object[] { path, number }))));

    // open: queued here or at managers.
    private static async Task SaysAsync(LocalCluster cluster, string what, bool online, int epoch, int busy, int open, int completed, bool kept)
    {
        var expected = $"online {online}, epoch {epoch}, 1 block, 1 manager, {Workers} workers, {busy} busy, {open} open, {completed} completed, kept in the spool {kept}";
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var status = await cluster.Endpoint.StatusAsync();
                if (status is null)
                    return false;
                var root = status.RootElement;
                long Number(string name) => root.GetProperty("dispatch").GetProperty(name).GetInt64();
                var blocks = root.GetProperty("blocks").GetArrayLength();
                seen = $"online {root.GetProperty("dispatch").GetProperty("online").GetBoolean()}, epoch {Number("epoch")}, {blocks} block, {Number("managers")} manager, "
                    + $"{Number("workers")} workers, {Number("workers_busy")} busy, {Number("queued") + Number("running")} open, {Number("completed")} completed, kept in the spool {Number("spool_bytes") > 0}";
                // Out of memory they go once they are in the spool.
                return seen == expected && Number("blocks_running") == 1 && (Number("results_held"), Number("results_held_bytes")) == (0, 0);
            },
            $"{what}: {expected}",
            seen: () => seen);
        // The table says the same.
        var (exitCode, output) = await Daemon.RunAsync(
            [FuncX.Contracts.Programs.Endpoint, "status", "--config", cluster.Endpoint.Configuration], Path.Combine(cluster.DirectoryPath, "status.out"), TimeSpan.FromSeconds(60));
        exitCode.ShouldBe(0, output);
        var lines = output.Split('\n').Select(static line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ToList();
        foreach (var line in new[] { $"online {online}", $"epoch {epoch}", "managers 1", $"workers {Workers}", $"workers busy {busy}", $"completed {completed}", "results held 0", "blocks 1" })
            lines.ShouldContain(line);
        lines.Single(static line => line.StartsWith("spool bytes ", StringComparison.Ordinal)).Equals("spool bytes 0", StringComparison.Ordinal).ShouldBe(!kept);
    }

    private static async Task ServiceSaysAsync(LocalCluster cluster, string what, int busy, int open, int completed)
    {
        EndpointInfo? info = null;
        await Eventually.TrueAsync(
            async () => (info = await cluster.Api.EndpointAsync(cluster.EndpointId)) is { Online: true, Status: { } status }
                && (status.Workers, status.WorkersBusy, status.Queued + status.Running, status.Completed) == (Workers, busy, open, completed)
                && (info.Queued, info.Dispatched) == (0, open),
            $"the service says that {what}",
            seen: () => $"{info}");
    }

    private static async Task HopsAsync(LocalCluster cluster, int tasks, int results)
    {
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var status = await cluster.Endpoint.StatusAsync();
                if (status is null)
                    return false;
                var dispatch = status.RootElement.GetProperty("dispatch");
                seen = $"{dispatch.GetProperty("hops")} {dispatch.GetProperty("manager_hops")}";
                long Hop(string name) => dispatch.GetProperty("hops").GetProperty(name).GetInt64();
                long Manager(string name) => dispatch.GetProperty("manager_hops").GetProperty(name).GetInt64();
                return Hop("tasks_received") == tasks && Hop("results_received") == results && Hop("results_sent") == results && Hop("results_committed") == results
                    && Manager("results_from_workers") == results && (results == 0 || Manager("tasks_to_workers") == tasks)
                    && Hop("task_bytes_received") > tasks * FrameHeader.Size && (Hop("result_bytes_received") > results * FrameHeader.Size) == (results > 0);
            },
            $"{tasks} tasks and {results} results have passed",
            seen: () => seen);
    }
}
