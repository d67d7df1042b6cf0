using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;
using Grpc.Core;

namespace FuncX.Tests.Integration.Faults;

/// <summary>The service dies by SIGKILL while it deletes what has expired, and is started again: what has not ended is all there, and what has expired goes.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class PruneFailPointTests : FailPointScenarios
{
    private const string Offline = "offline";
    private static readonly string[] Points = Scenario.Full
        ? ["before-commit-prune", "after-commit-prune", "before-commit-prune-index", "after-commit-prune-index"]
        : ["after-commit-prune", "before-commit-prune-index"];

    // The retention passes once, for copies of one data directory.
    [LongFact]
    public async Task A_service_that_dies_while_it_prunes_loses_nothing_that_has_not_ended()
    {
        var directory = LocalCluster.NewDirectory("prune");
        var configuration = Path.Combine(directory, "service.yaml");
        await File.WriteAllTextAsync(configuration, "limits: {result_retention: 20s}\n");
        var wrapper = await WriteScriptAsync(directory, "with-configuration", $"exec \"$@\" --config '{configuration}'");
        var data = Path.Combine(directory, "data");
        var expired = new TaskId(ServiceApi.NewBatch(), 0);
        List<BatchId> kept = [ServiceApi.NewBatch()];
        await Scenario.RunAsync(await LocalCluster.StartServiceAsync(null, data, wrapper), async cluster =>
        {
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            var endpoint = (await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = Offline }, cluster.Api.Headers)).EndpointId;
            await cluster.Api.SubmitAsync(ServiceApi.Request(square, endpoint, "expired", ["[0]"], null, expired.Batch));
            // So much that the stop takes a snapshot: chunks behind the last one may not go.
            for (var i = 0; i < 20; i++)
                await cluster.Api.SubmitAsync(ServiceApi.Request(square, endpoint, "expired", Enumerable.Repeat($"[\"{new string('x', 50_000)}\"]", 20)));
            (await cluster.Api.Tasks.CancelAsync(new CancelRequest { Group = "expired" }, cluster.Api.Headers)).Cancelled.ShouldBe(401);
            await cluster.Api.SubmitAsync(ServiceApi.Request(square, endpoint, "kept", Enumerable.Range(0, 40).Select(static i => $"[{i}]"), null, kept[0]));
            (await cluster.Service.StopAsync()).ShouldBe(0);
        });
        var stopped = DateTime.UtcNow;
        await Eventually.TrueAsync(() => DateTime.UtcNow - stopped > TimeSpan.FromSeconds(21), "the results have expired", TimeSpan.FromSeconds(50));

        foreach (var point in Points)
        {
            var copy = Path.Combine(directory, point);
            Copy(data, copy);
            var (exitCode, output) = await Daemon.RunAsync(
                [wrapper, Programs.Service, "start", "--data-dir", copy, "--listen", "127.0.0.1:0"],
                Path.Combine(directory, $"{point}.log"),
                Eventually.Patience,
                new Dictionary<string, string?> { ["FUNCX_FAILPOINT"] = point });
            exitCode.ShouldBe(137, $"the service did not die at {point}:\n{output}");

            await Scenario.RunAsync(await LocalCluster.StartServiceAsync(null, copy, wrapper), async cluster =>
            {
                (await cluster.Api.GroupAsync("kept")).Queued.ShouldBe(40, point);
                await Eventually.TrueAsync(() => HasExpiredAsync(cluster, expired), "what has expired is gone");
                await cluster.AddEndpointAsync(new EndpointOptions { Name = Offline });
                (await cluster.Api.WaitAsync("kept", 40)).ShouldBeSquares(kept, 40);
            });
        }

        Directory.Delete(directory, recursive: true);
    }

    /// <summary>A task that is known is one that waits or runs, or whose result is there.</summary>
    private static async Task<bool> HasExpiredAsync(LocalCluster cluster, TaskId task)
    {
        try
        {
            await cluster.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = task.ToString() }, cluster.Api.Headers);
            return false;
        }
        catch (RpcException gone) when (gone.StatusCode == StatusCode.NotFound)
        {
            return true;
        }
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to, File.GetUnixFileMode(from));
        foreach (var directory in Directory.EnumerateDirectories(from))
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
