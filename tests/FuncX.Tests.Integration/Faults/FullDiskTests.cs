using System.Globalization;
using FuncX.Tests.Integration.Harness;
using Grpc.Core;

namespace FuncX.Tests.Integration.Faults;

[Trait(Beside.Name, Beside.Scenarios)]
public sealed class FullDiskTests
{
    [Fact]
    public async Task A_service_with_a_full_disk_refuses_new_tasks_keeps_the_old_ones_and_recovers()
    {
        await using var disk = await SmallDisk.MountAsync(megabytes: 400);
        await Scenario.RunAsync(
            new EndpointOptions(),
            async cluster =>
            {
                var function = await cluster.Api.RegisterAsync(Python.Square, "square");
                var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
                var length = await cluster.Api.RegisterAsync("def length(text):\n    return len(text)\n", "length");
                // Accepted before the disk is full, finished after.
                await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "before", Enumerable.Range(0, 20).Select(static i => $"[0.1, {i}]")));
                disk.Fill();

                RpcException? refusal = null;
                var accepted = 0;
                var argument = $"[\"{new string('x', 50_000)}\"]";
                for (var i = 0; i < 4_000 && refusal is null; i++)
                {
                    try
                    {
                        await cluster.Api.Tasks.SubmitAsync(
                            ServiceApi.Request(length, cluster.EndpointId, "filling", Enumerable.Repeat(argument, 20)), cluster.Api.Headers, DateTime.UtcNow.AddSeconds(30));
                        accepted++;
                    }
                    catch (RpcException refused)
                    {
                        refusal = refused;
                    }
                }

                refusal.ShouldNotBeNull();
                refusal.StatusCode.ShouldBe(StatusCode.ResourceExhausted, refusal.Status.Detail);
                refusal.Status.Detail.ShouldContain(disk.Path);
                (await Should.ThrowAsync<RpcException>(() => cluster.Api.RegisterAsync(Python.Fail, "fail"))).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
                cluster.Service.IsAlive.ShouldBeTrue("a full disk must not end the service");

                disk.Clear();

                (await cluster.Api.WaitAsync("before", 20)).ShouldBeIndexes(20);
                var filling = await cluster.Api.WaitAsync("filling", accepted * 20);
                filling.Count.ShouldBe(accepted * 20);
                foreach (var result in filling.Values)
                    result.ShouldHaveValue("50000");
                // The service looks at its disk about once a second: it takes tasks again by itself, not at that very moment.
                await Eventually.TrueAsync(() => IsAcceptedAsync(cluster, function), "the service takes tasks again");
                var batches = await cluster.SubmitRangeAsync(function, "after", 100);
                (await cluster.Api.WaitAsync("after", 100)).ShouldBeSquares(batches, 100);
            },
            dataDirectory: Path.Combine(disk.Path, "service"));
    }

    private static async Task<bool> IsAcceptedAsync(LocalCluster cluster, string function)
    {
        try
        {
            await cluster.Api.Tasks.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "again", ["[1]"]), cluster.Api.Headers);
            return true;
        }
        catch (RpcException refused) when (refused.StatusCode == StatusCode.ResourceExhausted)
        {
            return false;
        }
    }

    [Fact]
    public async Task An_endpoint_with_a_full_spool_holds_what_it_has_and_delivers_all_when_the_service_is_back()
    {
        await using var disk = await SmallDisk.MountAsync(megabytes: 24);
        await Scenario.RunAsync(new EndpointOptions { StateDirectory = Path.Combine(disk.Path, "endpoint") }, async cluster =>
        {
            const int Tasks = 400;
            var function = await cluster.Api.RegisterAsync("def big(i):\n    return str(i % 10) * 200000\n", "big");
            disk.Fill(leaveBytes: 2 * 1024 * 1024);
            var first = new Dictionary<BatchId, int>();
            for (var i = 0; i < Tasks; i += 20)
            {
                var batch = ServiceApi.NewBatch();
                first.Add(batch, i);
                await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "spool", Enumerable.Range(i, 20).Select(static n => $"[{n}]"), null, batch));
            }

            await cluster.Service.KillAsync();
            await cluster.NoteSaysAsync("spool: ");
            using (var status = await cluster.Endpoint.StatusAsync())
            {
                var numbers = status!.RootElement.GetProperty("dispatch");
                numbers.GetProperty("note").GetString()!.ShouldContain("No space left on device", Case.Insensitive);
                numbers.GetProperty("spool_bytes").GetInt64().ShouldBeInRange(200_000, 2 * 1024 * 1024);
                numbers.GetProperty("results_held").GetInt64().ShouldBeGreaterThan(0);
                numbers.GetProperty("completed").GetInt64().ShouldBeLessThan(Tasks, "nothing more is started whose result has no room");
            }

            await cluster.Service.StartAsync();

            var results = await cluster.Api.WaitAsync("spool", Tasks, TimeSpan.FromMinutes(2));
            results.Count.ShouldBe(Tasks);
            foreach (var (task, result) in results)
            {
                result.Outcome.ShouldBe(Outcome.Value, result.Text);
                result.Value.Length.ShouldBe(200_002);
                result.Value.Span[1..^1].ContainsAnyExcept((byte)('0' + ((first[task.Batch] + task.Index) % 10))).ShouldBeFalse($"{task} has the value of another task");
            }

            cluster.Endpoint.IsAlive.ShouldBeTrue(cluster.Endpoint.Tail);
            Scenario.Note("full-spool", string.Create(CultureInfo.InvariantCulture, $"{results.Count} results of 200 kB delivered through a spool of 24 MB"));
        });
    }
}
