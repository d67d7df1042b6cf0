using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Workers;

public sealed class WorkerTests
{
    [Theory]
    [LongData(null, 3u)]
    [InlineData(2, 2u)]
    public Task A_task_that_kills_its_worker_every_time_is_lost_after_its_attempts_and_its_neighbours_are_not(int? endpointAllows, uint executions) => Scenario.SharingAsync(new EndpointOptions
    {
        MoreYaml = endpointAllows is { } most ? $"limits: {{max_attempts: {most}}}" : "",
    }, async cluster =>
    {
        var die = await cluster.Api.RegisterAsync(Python.Die, "die");
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.Api.SubmitAsync(ServiceApi.Request(die, cluster.EndpointId, "die", ["[1]"], new TaskOptions { MaxAttempts = 3 }));
        await cluster.SubmitRangeAsync(square, "neighbours", 5_000);

        var dead = (await cluster.Api.WaitAsync("die", 1)).Values.Single();
        var neighbours = await cluster.Api.WaitAsync("neighbours", 5_000);

        dead.Outcome.ShouldBe(Outcome.Lost);
        dead.Text.ShouldContain($"{executions} executions are known to be lost");
        (await cluster.Api.ListAsync("die")).Single().Attempts.ShouldBe(executions);
        neighbours.Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    });

    [Fact]
    public Task The_endpoints_limit_of_walltime_ends_tasks_without_one_of_their_own_and_those_that_want_more() => Scenario.SharingAsync(
        new EndpointOptions { WorkersPerNode = 4, MoreYaml = "limits: {task_walltime: 1s}" },
        async cluster =>
        {
            var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "none", ["[60, 0]"]));
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "more", ["[60, 0]"], new TaskOptions { WalltimeMs = 3_600_000 }));
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "less", ["[60, 0]"], new TaskOptions { WalltimeMs = 300 }));
            await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "short", ["[0.2, 7]"]));

            foreach (var (group, limit) in (IEnumerable<(string, int)>)[("none", 1_000), ("more", 1_000), ("less", 300)])
            {
                var ended = (await cluster.Api.WaitAsync(group, 1)).Values.Single();
                ended.Outcome.ShouldBe(Outcome.TimedOut, $"{group}: {ended.Text}");
                ended.Text.ShouldContain($"walltime of {limit} ms");
                (await cluster.Api.ListAsync(group)).Single().Attempts.ShouldBe(1u, "a task that ran out of time is not tried again");
            }

            (await cluster.Api.WaitAsync("short", 1)).Values.Single().Text.ShouldBe("7");
        });

    [Fact]
    public Task Results_of_short_tasks_do_not_wait_for_a_long_one_behind_them() => Scenario.SharingAsync(new EndpointOptions { WorkersPerNode = 1 }, async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "warm", Enumerable.Repeat("[\"\", 1]", 500)));
        await cluster.Api.WaitAsync("warm", 500);

        // Short ones, then the long one, on the only worker there is: it ends no sooner than all of theirs have arrived here.
        var go = Path.Combine(cluster.DirectoryPath, "go");
        var calls = Enumerable.Range(0, 50).Select(static i => $"[\"\", {i}]").Append($"[\"{go}\", 50]");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "held", calls));
        var arrived = await cluster.Api.WaitAsync("held", 50);
        arrived.Keys.Select(static task => task.Index).Order().ShouldBe(Enumerable.Range(0, 50).Select(static i => (uint)i));
        await Eventually.TrueAsync(() => File.Exists(go + ".waits"), "the long one runs");
        (await cluster.Api.GroupAsync("held")).Done.ShouldBe(50);
        await File.WriteAllTextAsync(go, "");

        var all = await cluster.Api.WaitAsync("held", 51);
        all.Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    });

    [Fact]
    public Task Durations_that_change_from_microseconds_to_seconds_keep_both_workers_busy() => Scenario.SharingAsync(async cluster =>
    {
        var where = await cluster.Api.RegisterAsync("import os, time\ndef where(seconds):\n    time.sleep(seconds)\n    return os.getpid()\n", "where");
        var calls = Enumerable.Repeat("[0]", 5_000).Concat(Enumerable.Repeat("[1]", 6));

        await cluster.Api.SubmitAsync(ServiceApi.Request(where, cluster.EndpointId, "change", calls));
        var results = await cluster.Api.WaitAsync("change", 5_006);

        results.Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
        // Six seconds of work: one worker has them all when they were sent to it ahead as the short ones before them.
        var shares = results.Where(static result => result.Key.Index >= 5_000).GroupBy(static result => result.Value.Text).Select(static worker => worker.Count()).ToList();
        shares.Count.ShouldBe(2);
        shares.ShouldAllBe(static share => share >= 2);
    });

    [Fact]
    public Task What_a_task_prints_comes_back_with_it_and_with_no_other() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(
            "import sys\ndef say(i):\n    print('out', i)\n    print('err', i, file=sys.stderr)\n    return i\n", "say");
        var batches = await cluster.SubmitRangeAsync(function, "say", 200);

        var results = await cluster.Api.WaitAsync("say", 200);

        foreach (var (task, result) in results)
        {
            System.Text.Encoding.UTF8.GetString(result.Output.Span).ShouldBe($"out {task.Index}\n");
            System.Text.Encoding.UTF8.GetString(result.Error.Span).ShouldBe($"err {task.Index}\n");
        }

        batches.Count.ShouldBe(1);
    });

    [Theory]
    [LongData("8MiB", 5_000_000, 5_000_000)]
    [LongData("16MiB", 20_000_000, 16 << 20)]
    [InlineData("2MiB", 3_000_000, 2 << 20)]
    public Task Much_output_comes_back_up_to_its_limit_and_never_costs_the_value(string limit, int printed, int kept) => Scenario.SharingAsync(new EndpointOptions
    {
        MoreYaml = $"limits: {{output: {limit}}}",
    }, async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(
            "import sys\ndef say(n):\n    print('o' * n, end='')\n    print('e' * n, end='', file=sys.stderr)\n    return 1\n", "say");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "say", [$"[{printed}]"]));

        var result = (await cluster.Api.WaitAsync("say", 1)).Values.Single();

        result.Outcome.ShouldBe(Outcome.Value, result.Text);
        result.Text.ShouldBe("1");
        foreach (var stream in new[] { result.Output, result.Error })
        {
            stream.Length.ShouldBeInRange(kept, kept + 200);
            if (printed > kept)
                System.Text.Encoding.UTF8.GetString(stream.Span[^200..]).ShouldContain($"{printed - kept} bytes of output were cut");
        }
    });

    [Fact]
    public Task A_file_that_a_function_writes_has_the_mode_that_the_users_umask_gives() => Scenario.SharingAsync(async cluster =>
    {
        var path = Path.Combine(cluster.DirectoryPath, "written");
        var function = await cluster.Api.RegisterAsync("def write(path):\n    open(path, 'w').close()\n", "write");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "write", [$"[\"{path}\"]"]));
        (await cluster.Api.WaitAsync("write", 1)).Values.Single().Outcome.ShouldBe(Outcome.Value);

        var umask = File.ReadLines("/proc/self/status").Single(static line => line.StartsWith("Umask:", StringComparison.Ordinal)).Split('\t')[1];
        ((int)File.GetUnixFileMode(path)).ShouldBe(Convert.ToInt32("666", 8) & ~Convert.ToInt32(umask, 8));
    });

    [Fact]
    public Task A_killed_manager_leaves_no_worker_behind_and_is_replaced() => Scenario.SharingAsync(async cluster =>
    {
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "long", ["[2, 1]", "[2, 2]"]));
        await Eventually.TrueAsync(() => cluster.Endpoint.Interpreters().Workers.Count == 2, "two workers run");
        var manager = cluster.Endpoint.Managers().Single().Identity;
        var below = ProcessTable.Tree(manager.Pid).Select(static entry => entry.Identity).Where(entry => entry != manager).ToList();

        manager.Kill();

        await Eventually.TrueAsync(() => below.TrueForAll(static process => !process.IsAlive), "every process below the killed manager ends", TimeSpan.FromSeconds(20));
        (await cluster.Api.WaitAsync("long", 2)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    });
}
