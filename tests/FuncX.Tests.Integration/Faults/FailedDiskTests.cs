using FuncX.Tests.Integration.Harness;
using Grpc.Core;

namespace FuncX.Tests.Integration.Faults;

/// <summary>A disk that answers "Input/output error" when it is asked to keep what was written: strace has the service's calls fail.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class FailedDiskTests
{
    [Fact]
    public Task A_service_whose_disk_fails_accepts_nothing_ends_nothing_and_goes_on_when_it_is_well() => Scenario.RunAsync(async cluster =>
    {
        File.Exists("/usr/bin/strace").ShouldBeTrue("strace makes the calls fail; tests/run installs it");
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "before", Enumerable.Range(0, 40).Select(static i => $"[0.05, {i}]")));
        var batch = ServiceApi.NewBatch();
        var refused = ServiceApi.Request(square, cluster.EndpointId, "refused", Enumerable.Range(0, 10).Select(static i => $"[{i}]"), null, batch);

        await using (var strace = Daemon.Start(
            ["/usr/bin/strace", "-f", "-p", $"{cluster.Service.Identity.Pid}", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"], Path.Combine(cluster.DirectoryPath, "strace.log")))
        {
            await Eventually.TrueAsync(() => strace.Tail.Contains("attached", StringComparison.Ordinal), "strace is attached", seen: () => strace.Tail);
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
}
