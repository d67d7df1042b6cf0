using System.Text.Json;
using FuncX.Tests.Integration.Harness;
using FuncX.Tests.Integration.Outcomes;

namespace FuncX.Tests.Integration.Workers;

/// <summary>What a worker may use, as the endpoint's file says, seen from inside.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class ResourceTests
{
    /// <summary>Two at a time: each waits for the other, so they are in two workers.</summary>
    private const string Seen = """
        import os, time
        def seen(directory, number):
            open(f"{directory}/{number}", "w").close()
            while len(os.listdir(directory)) < 2:
                time.sleep(0.005)
            names = ["FUNCX_WORKER_SLOT", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "OMP_NUM_THREADS"]
            return [sorted(os.sched_getaffinity(0)), [os.environ.get(name) for name in names], os.getpid()]
        """;

    [Theory]
    [InlineData("fork", "block")]
    [LongData("spawn", "alternating")]
    [LongData("per_task", "none")]
    public Task Workers_have_the_devices_and_CPUs_of_their_places(string isolation, string affinity) => Scenario.SharingAsync(
        new EndpointOptions { Isolation = isolation, MoreWorkers = $"accelerators: [0, 1, GPU-2, GPU-3], cpu_affinity: {affinity}" },
        async cluster =>
        {
            var seen = await cluster.Api.RegisterAsync(Seen, "seen");
            await ShouldBeTheTwoPlacesAsync("first");

            // Who takes a dead worker's place has what belonged to it.
            var die = await cluster.Api.RegisterAsync(Python.Die, "die");
            await cluster.CallAsync(die, "[1]", new TaskOptions { MaxAttempts = 1 });
            await ShouldBeTheTwoPlacesAsync("second");

            async Task ShouldBeTheTwoPlacesAsync(string name)
            {
                var directory = Directory.CreateDirectory(Path.Combine(cluster.DirectoryPath, name)).FullName;
                await cluster.Api.SubmitAsync(ServiceApi.Request(seen, cluster.EndpointId, name, [$"[\"{directory}\", 0]", $"[\"{directory}\", 1]"]));
                var values = (await cluster.Api.WaitAsync(name, 2)).Values.Select(static result => JsonDocument.Parse(result.Value).RootElement).ToList();
                values.Select(static value => string.Join(' ', value[1].EnumerateArray().Select(static one => one.GetString()))).Order().ShouldBe(
                    ["0 0,1 0,1 0,1 1", "1 GPU-2,GPU-3 GPU-2,GPU-3 GPU-2,GPU-3 1"]);
                foreach (var value in values)
                {
                    var slot = int.Parse(value[1][0].GetString()!, System.Globalization.CultureInfo.InvariantCulture);
                    var expected = affinity == "none" ? Processors.Ours : [Processors.Ours[slot % Processors.Ours.Count]];
                    value[0].EnumerateArray().Select(static cpu => cpu.GetInt32()).ShouldBe(expected);
                }
            }
        });

    [Theory]
    [InlineData(true)]
    [LongData(false)]
    public async Task Who_takes_more_memory_than_its_worker_may_is_ended_and_told_how(bool withGroups)
    {
        const string Limit = "workers.memory_per_worker is 314572800 bytes";
        var directory = LocalCluster.NewDirectory("wrapper");
        var environment = new Dictionary<string, string?>();
        if (!withGroups)
        {
            Assert.SkipUnless(Environment.UserName == "root", "hiding the control groups needs root");
            var wrapper = Path.Combine(directory, "funcx-manager");
            await File.WriteAllTextAsync(wrapper, $$"""
                #!/bin/sh
                exec unshare --mount sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"' '{{FuncX.Contracts.Programs.Manager}}' "$@"
                """);
            File.SetUnixFileMode(wrapper, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            environment["FUNCX_MANAGER"] = wrapper;
        }

        HashSet<int> managers = [];
        await Scenario.SharingAsync(
            new EndpointOptions { MoreWorkers = "memory_per_worker: 300MiB", WorkersPerNode = 1 },
            async cluster =>
            {
                managers = [.. cluster.Endpoint.Managers().Select(static manager => manager.Pid)];
                var python = await cluster.Api.RegisterAsync("import time\ndef f(n, seconds):\n    x = b'x' * n\n    time.sleep(seconds)\n    return len(x)\n", "f");
                (await cluster.CallAsync(python, "[200000000, 0.3]")).Text.ShouldBe("200000000");
                var means = await EndedAsync(python, "[450000000, 60]");
                if (withGroups)
                    Scenario.Note("memory", $"memory_per_worker is kept by {means} on this machine");
                else
                    means.ShouldBe("resident size, watched");

                (await EndedAsync(await cluster.Api.RegisterDotnetAsync("Hoard"), "[380000000]")).ShouldBe(means);
                var command = await cluster.Api.RegisterCommandAsync("f", """{"command": "(head -c 450000000 /dev/zero; sleep 60) | tail -c 449999999 >/dev/null", "shell": true}""");
                (await EndedAsync(command, "[]")).ShouldBe(means);

                // What it starts counts.
                var child = await cluster.Api.RegisterAsync("import subprocess, sys\ndef f(n):\n    return subprocess.run([sys.executable, '-c', f'import time; x = b\"x\" * {n}; time.sleep(60)']).returncode\n", "f");
                (await EndedAsync(child, "[450000000]")).ShouldBe(means);

                // What grows faster than anybody looks meets the system's own limit.
                if (!withGroups)
                    (await cluster.CallAsync(python, "[1000000000, 0]")).Text.ShouldContain("MemoryError");
                (await cluster.CallAsync(python, "[200000000, 0.3]")).Text.ShouldBe("200000000");

                async Task<string> EndedAsync(string function, string arguments)
                {
                    var result = await cluster.CallAsync(function, arguments);
                    (result.Outcome, result.Text.Contains(Limit, StringComparison.Ordinal)).ShouldBe((Outcome.Exception, true), result.Text);
                    var failure = JsonDocument.Parse(result.Value).RootElement;
                    failure.GetProperty("type").GetString().ShouldBe("MemoryLimitExceeded");
                    var text = failure.GetProperty("message").GetString()!;
                    return text[(text.LastIndexOf('(') + 1)..text.LastIndexOf(')')];
                }
            },
            endpointEnvironment: environment);
        Directory.Delete(directory, recursive: true);
        managers.ShouldNotBeEmpty();
        if (withGroups)
            Groups().ShouldBeEmpty("no group of its manager is left");

        IEnumerable<string> Groups() => Directory.Exists("/sys/fs/cgroup/memory")
            ? Directory.EnumerateDirectories("/sys/fs/cgroup/memory", "funcx-*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 4 })
                .Where(group => managers.Contains(int.Parse(Path.GetFileName(group).Split('-')[1], System.Globalization.CultureInfo.InvariantCulture)))
            : [];
    }

    [Fact]
    public Task Commands_and_NET_functions_have_them_too() => Scenario.SharingAsync(
        new EndpointOptions { Python = "/no/python", WorkersPerNode = 1, MoreWorkers = "accelerators: [5, 6], cpu_affinity: block" },
        async cluster =>
        {
            var command = await cluster.Api.RegisterCommandAsync("seen", """{"command": "echo $CUDA_VISIBLE_DEVICES $FUNCX_WORKER_SLOT; grep Cpus_allowed_list /proc/self/status", "shell": true}""");
            (await cluster.CallAsync(command, "[]")).Text.ShouldContain($"5,6 0\\nCpus_allowed_list:\\t{Processors.Ours[0]}\\n");
            var variable = await cluster.Api.RegisterDotnetAsync("Variable");
            (await cluster.CallAsync(variable, "[\"ZE_AFFINITY_MASK\"]")).ShouldHaveValue("\"5,6\"");
        });
}
