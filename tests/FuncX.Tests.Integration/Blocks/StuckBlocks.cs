using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Blocks that do not come, and who says why.</summary>
internal static class StuckBlocks
{
    /// <summary>Submits a call that waits for a block.</summary>
    public static async Task SubmitAsync(LocalCluster cluster)
    {
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "work", ["[0, 1]"]));
    }

    /// <summary>Waits until the endpoint's status, the task that waits and <c>funcx endpoint show</c> say it.</summary>
    public static async Task AreExplainedAsync(LocalCluster cluster, string words)
    {
        await cluster.NoteSaysAsync(words);
        var reason = "";
        await Eventually.TrueAsync(async () => (reason = await WaitingReasonAsync(cluster)).Contains(words, StringComparison.Ordinal), "the task that waits says why", seen: () => reason);
        string.Concat(await CliProcess.RunAsync(cluster, 0, "endpoint", "show", "test", "--json")).ShouldContain(words);
    }

    /// <summary>Waits until the call has its value and nobody says anything of its waiting any more.</summary>
    public static async Task AreCuredAsync(LocalCluster cluster)
    {
        (await cluster.Api.WaitAsync("work", 1)).Values.Single().ShouldHaveValue("1");
        await cluster.NoteSaysAsync("");
        await ReasonIsAsync(cluster, "^$");
        (await WaitingReasonAsync(cluster)).ShouldBeEmpty();
    }

    /// <summary>Waits until the reason of the one block matches, as the status has it.</summary>
    public static async Task ReasonIsAsync(LocalCluster cluster, string pattern)
    {
        var reason = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var status = await cluster.Endpoint.StatusAsync();
                reason = status!.RootElement.GetProperty("blocks").EnumerateArray().ShouldHaveSingleItem().GetProperty("reason").GetString()!;
                return Regex.IsMatch(reason, pattern);
            },
            $"the block's reason is '{pattern}'", seen: () => reason);
    }

    /// <summary>Lines of <c>provider.init</c> that fail until a file is there, in YAML's flow style.</summary>
    public static string InitWithout(string flag) => $"init: \"[ -e {flag} ] || {{ echo no module; exit 3; }}\"";

    /// <summary>Has blocks fail by such lines, which is said everywhere and tried ever more rarely, and makes the file.</summary>
    public static async Task InitIsCuredAsync(LocalCluster cluster, string flag)
    {
        await SubmitAsync(cluster);
        await AreExplainedAsync(cluster, "no module");
        await cluster.NoteSaysAsync("exit status 3");
        await cluster.NoteSaysAsync(" blocks in a row came to nothing; the next is asked for from");
        await Eventually.TrueAsync(() => Blocks(cluster).Count(static block => block.State == "Failed") >= 3, "three blocks have failed");

        // The cause is gone, and nobody tells the endpoint.
        await File.WriteAllTextAsync(flag, "");
        await AreCuredAsync(cluster);
        var requested = Blocks(cluster).Select(static block => block.Requested).Order().ToList();
        requested.Count.ShouldBeGreaterThan(3);
        for (var i = 1; i < requested.Count; i++)
            (requested[i] - requested[i - 1]).ShouldBeGreaterThan(TimeSpan.FromSeconds(1 << (i - 1)), $"block {i + 1} was asked for too soon: {string.Join(", ", requested.Select(static at => $"{at:HH:mm:ss.fff}"))}");
    }

    private static async Task<string> WaitingReasonAsync(LocalCluster cluster)
    {
        var task = (await cluster.Api.ListAsync("work")).Single().TaskId;
        return (await cluster.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = task }, cluster.Api.Headers)).WaitingReason;
    }

    private static IReadOnlyList<(string State, DateTimeOffset Requested)> Blocks(LocalCluster cluster) =>
    [
        .. Directory.EnumerateFiles(Path.Combine(cluster.Endpoint.StateDirectory, "blocks"), "block.json", SearchOption.AllDirectories).Select(static file =>
        {
            using var block = JsonDocument.Parse(File.ReadAllBytes(file));
            return (block.RootElement.GetProperty("state").GetString()!, block.RootElement.GetProperty("requested").GetDateTimeOffset());
        }),
    ];
}
