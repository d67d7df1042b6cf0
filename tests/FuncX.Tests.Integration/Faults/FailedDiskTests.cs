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

    [LongFact]
    public Task A_spool_file_that_cannot_be_written_synced_or_cut_back_loses_nothing_and_doubles_nothing() => Scenario.RunAsync(async cluster =>
    {
        const int Each = 10;
        string[] failing = ["pwrite64,pwritev", "pwrite64,pwritev,ftruncate", "fsync,fdatasync", "fsync,fdatasync,ftruncate"];
        var tasks = Each * (failing.Length + 1);
        var files = Directory.CreateDirectory(Path.Combine(cluster.DirectoryPath, "ran")).FullName;
        var function = await cluster.Api.RegisterAsync(
            "import os, time\ndef noted(files, gate, i):\n    while not os.path.exists(f'{files}.{gate}'):\n        time.sleep(0.01)\n    with open(f'{files}/{i}', 'a') as file:\n        file.write('ran\\n')\n    return i\n", "noted");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", Enumerable.Range(0, tasks).Select(i => $"[\"{files}\", {i / Each}, {i}]")));
        await Eventually.TrueAsync(async () => await SumAsync(cluster, "queued", "running") == tasks, "all tasks are at the endpoint");
        await cluster.Service.KillAsync();
        // What is in the file by now is promised: a failure must cost nothing of it.
        await LetGoAsync(0);
        await SpooledAsync(1);
        var spooled = await SumAsync(cluster, "spool_bytes");
        spooled.ShouldBeGreaterThan(0);

        for (var way = 0; way < failing.Length; way++)
        {
            await using (await FailingSync.OfAsync(cluster.Endpoint.Identity, Path.Combine(cluster.DirectoryPath, $"strace-{way}.log"), calls: failing[way]))
            {
                await LetGoAsync(way + 1);
                await Eventually.TrueAsync(() => Directory.GetFiles(files).Length == Each * (way + 2), "the tasks have ended");
                var note = "";
                await Eventually.TrueAsync(
                    async () => await SumAsync(cluster, "results_held") == Each && (note = await NoteAsync(cluster)).Contains("Input/output error", StringComparison.Ordinal),
                    $"{failing[way]} fails and is told of",
                    seen: () => note);
                (await SumAsync(cluster, "spool_bytes")).ShouldBe(spooled, "what is not on the disk is not counted as spooled");
            }

            await SpooledAsync(way + 2);
            var more = await SumAsync(cluster, "spool_bytes");
            more.ShouldBeGreaterThan(spooled);
            spooled = more;
        }

        await cluster.Endpoint.KillAsync();
        await cluster.Service.StartAsync();
        await cluster.Endpoint.StartAsync();

        (await cluster.Api.WaitAsync("held", tasks)).ShouldBeIndexes(tasks);
        foreach (var file in Directory.GetFiles(files))
            (await File.ReadAllLinesAsync(file)).Length.ShouldBe(1, $"task {Path.GetFileName(file)} ran more than once");

        Task LetGoAsync(int gate) => File.WriteAllTextAsync($"{files}.{gate}", "");

        Task SpooledAsync(int gates) => Eventually.TrueAsync(
            async () => Directory.GetFiles(files).Length == Each * gates && await SumAsync(cluster, "results_held") == 0 && await SumAsync(cluster, "queued", "running") == tasks - (Each * gates),
            "all results so far are in the spool");
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

    [Fact]
    public async Task A_service_whose_directory_the_disk_does_not_keep_does_not_start_and_says_why_in_one_line()
    {
        var directory = LocalCluster.NewDirectory("failed-start");
        var (data, log) = (Path.Combine(directory, "data"), Path.Combine(directory, "service.log"));
        Directory.CreateDirectory(data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using (var service = Daemon.Start(
            ["/usr/bin/strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO", "-P", data,
                SourceTree.Program("service/FuncX.Service", "funcx-service"), "start", "--data-dir", data, "--listen", "127.0.0.1:0"],
            log))
        {
            await service.WaitAsync(Eventually.Patience);
            service.ExitCode.ShouldBe(1, service.Tail);
        }

        var said = await File.ReadAllLinesAsync(log);
        said[^1].ShouldBe($"funcx-service: the data directory cannot be used: {data} was not written to the disk: Input/output error");
        said.ShouldNotContain(static line => line.Contains("   at ", StringComparison.Ordinal));
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<string> NoteAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("dispatch").GetProperty("note").GetString() ?? "";
    }

    private static async Task<long> SumAsync(LocalCluster cluster, params string[] places)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        var numbers = status!.RootElement.GetProperty("dispatch");
        return places.Sum(place => numbers.GetProperty(place).GetInt64());
    }
}
