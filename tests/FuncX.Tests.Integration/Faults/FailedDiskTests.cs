using FuncX.Tests.Integration.Harness;
using Grpc.Core;

namespace FuncX.Tests.Integration.Faults;

/// <summary>A disk that answers "Input/output error" when it is asked to keep what was written: strace has the calls of endpoint or service fail.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class FailedDiskTests
{
    [Fact]
    public Task Results_that_the_endpoints_disk_does_not_take_are_held_until_it_does_and_run_once() => Scenario.RunAsync(async cluster =>
    {
        const int Tasks = 40;
        var files = Directory.CreateDirectory(Path.Combine(cluster.DirectoryPath, "ran")).FullName;
        var function = await cluster.Api.RegisterAsync(
            "import os, time\ndef noted(files, i):\n    while not os.path.exists(files + '.go'):\n        time.sleep(0.01)\n    with open(f'{files}/{i}', 'a') as file:\n        file.write('ran\\n')\n    return i\n", "noted");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", Enumerable.Range(0, Tasks).Select(i => $"[\"{files}\", {i}]")));
        // As the endpoint says: what the service has sent may still be on its way, and would be lost with it.
        await Eventually.TrueAsync(async () => await SumAsync(cluster, "queued", "running") == Tasks, "all tasks are at the endpoint");
        await cluster.Service.KillAsync();

        await using (await FailingSync.OfAsync(cluster.Endpoint.Identity, Path.Combine(cluster.DirectoryPath, "strace.log")))
        {
            await File.WriteAllTextAsync(files + ".go", "");
            await cluster.NoteSaysAsync("spool: ");
            using var status = await cluster.Endpoint.StatusAsync();
            var numbers = status!.RootElement.GetProperty("dispatch");
            numbers.GetProperty("note").GetString()!.ShouldContain("was not written to the disk: Input/output error");
            numbers.GetProperty("results_held").GetInt64().ShouldBeGreaterThan(0);
            numbers.GetProperty("spool_bytes").GetInt64().ShouldBe(0, "what is not on the disk is not counted as spooled");
            // It is the new file's directory that cannot be synced: each attempt would leave one.
            Directory.EnumerateFiles(Path.Combine(cluster.Endpoint.StateDirectory, "spool"), "*.spool", SearchOption.AllDirectories).Count().ShouldBeLessThanOrEqualTo(1);
        }

        // Once all are in the spool a kill takes none of them along.
        await Eventually.TrueAsync(async () => await SumAsync(cluster, "queued", "running", "results_held") == 0 && Directory.GetFiles(files).Length == Tasks, "all results are in the spool");
        await cluster.Endpoint.KillAsync();
        await cluster.Service.StartAsync();
        await cluster.Endpoint.StartAsync();

        (await cluster.Api.WaitAsync("held", Tasks)).ShouldBeIndexes(Tasks);
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(1, $"task {Path.GetFileName(file)} ran more than once");
    });

    [Fact]
    public Task A_service_whose_disk_fails_accepts_nothing_ends_nothing_and_goes_on_when_it_is_well() => Scenario.RunAsync(async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "before", Enumerable.Range(0, 40).Select(static i => $"[0.05, {i}]")));
        var batch = ServiceApi.NewBatch();
        var refused = ServiceApi.Request(square, cluster.EndpointId, "refused", Enumerable.Range(0, 10).Select(static i => $"[{i}]"), null, batch);

        await using (await FailingSync.OfAsync(cluster.Service.Identity, Path.Combine(cluster.DirectoryPath, "strace.log")))
        {
            var refusal = await Should.ThrowAsync<RpcException>(async () => await cluster.Api.Tasks.SubmitAsync(refused, cluster.Api.Headers, DateTime.UtcNow.AddSeconds(30)));
            refusal.StatusCode.ShouldBe(StatusCode.ResourceExhausted, refusal.Status.Detail);
            refusal.Status.Detail.ShouldContain(cluster.Service.DataDirectory);
            cluster.Service.IsAlive.ShouldBeTrue("a disk that fails must not end the service");
        }

        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    await cluster.Api.Tasks.SubmitAsync(refused, cluster.Api.Headers);
                    return true;
                }
                catch (RpcException again) when (again.StatusCode == StatusCode.ResourceExhausted)
                {
                    return false;
                }
            },
            "the service takes tasks again");
        (await cluster.Api.WaitAsync("refused", 10)).ShouldBeSquares([batch], 10);
        (await cluster.Api.WaitAsync("before", 40)).ShouldBeIndexes(40);
        await cluster.Service.KillAsync();
        await cluster.Service.StartAsync();
        (await cluster.Api.GroupAsync("refused")).Done.ShouldBe(10);
        (await cluster.Api.GroupAsync("before")).Done.ShouldBe(40);
    });

    private static async Task<long> SumAsync(LocalCluster cluster, params string[] places)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        var numbers = status!.RootElement.GetProperty("dispatch");
        return places.Sum(place => numbers.GetProperty(place).GetInt64());
    }
}
