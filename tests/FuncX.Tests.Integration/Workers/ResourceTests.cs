using System.Text.Json;
using FuncX.Tests.Integration.Harness;
using FuncX.Tests.Integration.Outcomes;

namespace FuncX.Tests.Integration.Workers;

/// <summary>What a worker may use, as the endpoint's file says, seen from inside.</summary>
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

    private static readonly int[] s_own = [.. Cpus(File.ReadLines("/proc/self/status").Single(static line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split('\t')[1])];

    [Theory]
    [InlineData("fork", "block")]
    [InlineData("spawn", "alternating")]
    [InlineData("per_task", "none")]
    public Task Workers_have_the_devices_and_CPUs_of_their_places(string isolation, string affinity) => Scenario.RunAsync(
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
                    var expected = affinity == "none" ? s_own : [s_own[slot % s_own.Length]];
                    value[0].EnumerateArray().Select(static cpu => cpu.GetInt32()).ShouldBe(expected);
                }
            }
        });

    [Fact]
    public Task Commands_and_NET_functions_have_them_too() => Scenario.RunAsync(
        new EndpointOptions { Python = "/no/python", WorkersPerNode = 1, MoreWorkers = "accelerators: [5, 6], cpu_affinity: block" },
        async cluster =>
        {
            var command = await cluster.Api.RegisterCommandAsync("seen", """{"command": "echo $CUDA_VISIBLE_DEVICES $FUNCX_WORKER_SLOT; grep Cpus_allowed_list /proc/self/status", "shell": true}""");
            (await cluster.CallAsync(command, "[]")).Text.ShouldContain($"5,6 0\\nCpus_allowed_list:\\t{s_own[0]}\\n");
            var variable = await cluster.Api.RegisterDotnetAsync("Variable");
            (await cluster.CallAsync(variable, "[\"ZE_AFFINITY_MASK\"]")).ShouldHaveValue("\"5,6\"");
        });

    // As the kernel writes them: 0-3,8.
    private static IEnumerable<int> Cpus(string list)
    {
        foreach (var range in list.Trim().Split(','))
        {
            var ends = range.Split('-').Select(static end => int.Parse(end, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
            for (var cpu = ends[0]; cpu <= ends[^1]; cpu++)
                yield return cpu;
        }
    }
}
