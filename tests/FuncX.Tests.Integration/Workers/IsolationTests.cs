using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Workers;

/// <summary><c>workers.isolation</c> in the endpoint's file, seen from inside the functions; and a worker that is not ours.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class IsolationTests
{
    /// <summary>Its process, how many calls of it that process has had, and whether the module was there before.</summary>
    private const string Who = """
        import os, sys
        ready = "wave" in sys.modules
        calls = 0
        def who(n):
            global calls
            calls += 1
            with open("/proc/%d/cmdline" % os.getppid(), "rb") as parent:
                return "%d %d %s %s" % (os.getpid(), calls, ready, b"--zygote" in parent.read())
        """;

    [Theory]
    [InlineData("fork", 2, true)]
    [LongData("spawn", 2, false)]
    [LongData("per_task", 30, true)]
    public Task Tasks_run_in_processes_as_the_endpoints_file_says(string isolation, int processes, bool ofAZygote) => Scenario.SharingAsync(
        new EndpointOptions { Isolation = isolation, MoreWorkers = "preload: [wave]" },
        async cluster =>
        {
            var who = await cluster.Api.RegisterAsync(Who, "who");
            await cluster.SubmitRangeAsync(who, "who", 30);

            var seen = (await cluster.Api.WaitAsync("who", 30)).Values.Select(static result => result.Text.Trim('"').Split(' ')).ToList();

            seen.ShouldAllBe(answer => answer[2] == "True", "the preloaded module is there before the function is");
            seen.ShouldAllBe(answer => answer[3] == ofAZygote.ToString());
            var calls = seen.GroupBy(static answer => answer[0]).Select(static process => process.Count()).ToList();
            if (isolation == "per_task")
                seen.ShouldAllBe(static answer => answer[1] == "1", "no globals of an earlier task");
            else
                seen.Select(static answer => int.Parse(answer[1], System.Globalization.CultureInfo.InvariantCulture)).Max().ShouldBe(calls.Max());
            calls.Count.ShouldBeLessThanOrEqualTo(processes);
            calls.Count.ShouldBeGreaterThanOrEqualTo(isolation == "per_task" ? processes : 1);
        });

    /// <summary>What Debian has beside CPython. Its workers answer over the socket.</summary>
    [Theory]
    [InlineData("fork")]
    [LongData("spawn")]
    [LongData("per_task")]
    public Task PyPy_runs_functions_too(string isolation) => Scenario.SharingAsync(
        new EndpointOptions { Isolation = isolation, Python = "/usr/bin/pypy3", MoreWorkers = "preload: [wave]" },
        async cluster =>
        {
            var count = isolation == "per_task" ? 50 : 2_000;
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            var batches = await cluster.SubmitRangeAsync(square, "squares", count);
            (await cluster.Api.WaitAsync("squares", count)).ShouldBeSquares(batches, count);

            var what = await cluster.Api.RegisterAsync("import platform, sys\ndef what():\n    return [platform.python_implementation(), 'wave' in sys.modules]\n", "what");
            await cluster.Api.SubmitAsync(ServiceApi.Request(what, cluster.EndpointId, "what", ["[]"]));
            (await cluster.Api.WaitAsync("what", 1)).Values.Single().ShouldHaveValue("[\"PyPy\",true]");

            await RaisesAsync(cluster);

            var die = await cluster.Api.RegisterAsync(Python.Die, "die");
            await cluster.Api.SubmitAsync(ServiceApi.Request(die, cluster.EndpointId, "die", ["[1]"], new TaskOptions { MaxAttempts = 1 }));
            (await cluster.Api.WaitAsync("die", 1)).Values.Single().Outcome.ShouldBe(Outcome.Lost);
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "late", ["[60, 1]"], new TaskOptions { WalltimeMs = 300 }));
            (await cluster.Api.WaitAsync("late", 1)).Values.Single().Outcome.ShouldBe(Outcome.TimedOut);
        });

    [Fact]
    public Task A_worker_written_from_the_protocols_page_alone_serves_beside_the_rest() => Scenario.SharingAsync(
        new EndpointOptions { Isolation = "spawn", Python = Path.Combine(SourceTree.Root, "tests", "python", "plain_worker.py") },
        async cluster =>
        {
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            var batches = await cluster.SubmitRangeAsync(square, "squares", 2_000);
            (await cluster.Api.WaitAsync("squares", 2_000)).ShouldBeSquares(batches, 2_000);

            await RaisesAsync(cluster);

            // Segments, both ways.
            var turn = await cluster.Api.RegisterAsync("def turn(text):\n    return text[::-1]\n", "turn");
            await cluster.Api.SubmitAsync(ServiceApi.Request(turn, cluster.EndpointId, "large", [$"[\"{new string('a', 700_000)}b\"]"]));
            (await cluster.Api.WaitAsync("large", 1)).Values.Single().ShouldHaveValue($"\"b{new string('a', 700_000)}\"");

            // It says nothing of a ring, so nobody knows what it has begun: what it was sent is ended with it.
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "late", ["[60, 1]"], new TaskOptions { WalltimeMs = 300 }));
            (await cluster.Api.WaitAsync("late", 1)).Values.Single().Outcome.ShouldBe(Outcome.TimedOut);
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "cancelled", Enumerable.Repeat("[60, 1]", 10)));
            await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status.WorkersBusy == 2, "both workers run a task");
            await cluster.Api.Tasks.CancelAsync(new CancelRequest { Group = "cancelled" }, cluster.Api.Headers);
            (await cluster.Api.WaitAsync("cancelled", 10)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Cancelled);
            (await cluster.Api.ListAsync("cancelled")).ShouldAllBe(static task => task.Attempts <= 1, "none was given to a second worker");

            var after = await cluster.SubmitRangeAsync(square, "after", 100);
            (await cluster.Api.WaitAsync("after", 100)).ShouldBeSquares(after, 100);
            var lines = await File.ReadAllLinesAsync(Path.Combine(SourceTree.Root, "tests", "python", "plain_worker.py"));
            lines.Count(static line => line.Trim().Length > 0).ShouldBeLessThanOrEqualTo(110);
            lines.ShouldNotContain(static line => line.Contains("funcx_worker", StringComparison.Ordinal));
        });

    private static async Task RaisesAsync(LocalCluster cluster)
    {
        var fail = await cluster.Api.RegisterAsync(Python.Fail, "fail");
        await cluster.Api.SubmitAsync(ServiceApi.Request(fail, cluster.EndpointId, "fail", ["[3]"]));
        var failed = (await cluster.Api.WaitAsync("fail", 1)).Values.Single();
        failed.Outcome.ShouldBe(Outcome.Exception);
        failed.Text.ShouldContain("no 3");
        System.Text.Encoding.UTF8.GetString(failed.Output.Span).ShouldBe("before 3\n");
    }
}
