using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Work that goes on while something befalls the block that does it.</summary>
internal static class BlockWork
{
    private const int Tasks = 24;

    // The first of them dies with its worker as often as is said, sleeps the next time until it is ended, and answers at last.
    private const string Source = """
        import os, signal, time
        def work(directory, number, deaths):
            path = f"{directory}/{number}"
            with open(path, "a") as file:
                file.write("x")
            turn = os.path.getsize(path)
            if number == 0 and turn <= deaths:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(600 if number == 0 and turn == deaths + 1 else 0.3)
            return number
        """;

    /// <summary>Has tasks run of which one does not end, lets something happen that costs it an attempt, and waits until each has its one outcome.</summary>
    public static Task LosesAnAttemptAsync(LocalCluster cluster, Func<Task> fault) => RunAsync(cluster, 0, fault);

    /// <summary>The same with one whose attempts but the last are spent: what happens may not cost it any.</summary>
    public static Task KeepsItsAttemptsAsync(LocalCluster cluster, Func<Task> fault) => RunAsync(cluster, 1, fault);

    /// <summary>Has short tasks run, lets something happen that may cost each of them an attempt, and waits until each has its one outcome.</summary>
    public static async Task NapsAsync(LocalCluster cluster, Func<Task> fault)
    {
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "naps", Enumerable.Range(0, 40).Select(static i => $"[0.5, {i}]"), new TaskOptions { MaxAttempts = 2 }));
        await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("naps")).Done >= 4, "tasks run");
        await fault();
        (await cluster.Api.WaitAsync("naps", 40)).ShouldBeIndexes(40);
    }

    /// <summary>The job of the only block that there is.</summary>
    public static async Task<string> JobAsync(LocalCluster cluster)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("blocks").EnumerateArray().ShouldHaveSingleItem().GetProperty("job").GetString()!;
    }

    /// <summary>What the endpoint has written down of the block that has a job, or had it.</summary>
    public static (string State, string Reason) Written(LocalCluster cluster, string job)
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(cluster.Endpoint.StateDirectory, "blocks"), "block.json", SearchOption.AllDirectories))
        {
            using var block = JsonDocument.Parse(File.ReadAllBytes(file));
            if (block.RootElement.GetProperty("job").GetString() == job)
                return (block.RootElement.GetProperty("state").GetString()!, block.RootElement.GetProperty("reason").GetString()!);
        }

        throw new InvalidOperationException($"no block of {cluster.Endpoint.StateDirectory} had job {job}");
    }

    /// <summary>A figure of the endpoint's status.</summary>
    public static async Task<int> FigureAsync(LocalCluster cluster, string name)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        return status!.RootElement.GetProperty("dispatch").GetProperty(name).GetInt32();
    }

    /// <summary>Waits until managers that stand still, and may come back, are not waited for any more.</summary>
    public static Task IsGivenUpAsync(LocalCluster cluster) => Eventually.TrueAsync(async () => await FigureAsync(cluster, "running") == 0, "what ran is given up");

    private static async Task RunAsync(LocalCluster cluster, int deaths, Func<Task> fault)
    {
        var directory = Path.Combine(cluster.DirectoryPath, "work");
        Directory.CreateDirectory(directory);
        var work = await cluster.Api.RegisterAsync(Source, "work");
        await cluster.Api.SubmitAsync(ServiceApi.Request(
            work, cluster.EndpointId, "work", Enumerable.Range(0, Tasks).Select(number => $"[\"{directory}\", {number}, {deaths}]"), new TaskOptions { MaxAttempts = 2 }));
        var first = new FileInfo(Path.Combine(directory, "0"));
        await Eventually.TrueAsync(
            async () =>
            {
                first.Refresh();
                return first.Exists && first.Length == deaths + 1 && (await cluster.Api.GroupAsync("work")).Done >= 4;
            },
            "tasks run, and one that does not end");

        await fault();

        (await cluster.Api.WaitAsync("work", Tasks, TimeSpan.FromMinutes(2))).ShouldBeIndexes(Tasks);
        first.Refresh();
        first.Length.ShouldBe(deaths + 2, "what was cut off was to run once more");
    }
}
