using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>
/// A process dies by SIGKILL at a named point in the middle of work, before or after a commit, a send or an acknowledgement, and is started again. The checker
/// sees to it that nothing runs twice but what was lost with a manager, a zygote or a worker.
/// </summary>
public abstract class FailPointScenarios
{
    protected const int PerBatch = 50;

    protected static Dictionary<string, string?> FailAt(string point, int passage) => new() { ["FUNCX_FAILPOINT"] = $"{point}:{passage}" };

    protected static async Task<string> WriteScriptAsync(string directory, string name, string text)
    {
        var path = Path.Combine(directory, name);
        await File.WriteAllTextAsync(path, $"#!/bin/sh\n{text}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    /// <summary>Beyond the client: accepted by the service, and no outcome in the client's journal. What it had only planned does not count.</summary>
    protected static async Task AtTheServiceAsync(LocalCluster cluster, Workload work)
    {
        var counts = work.Counts();
        ((await cluster.Api.GroupAsync(work.Group)).Tasks - counts.Outcomes).ShouldBeGreaterThan(0, $"no work was beyond the client at its death: {counts}");
    }

    /// <summary>
    /// Beyond the service: at the endpoint, in its queue, at its managers, or as a result that nobody has taken from it, in the end in its spool. With the service dead
    /// nothing leaves it; what was on its way comes.
    /// </summary>
    protected static async Task BeyondTheServiceAsync(LocalCluster cluster)
    {
        string[] places = ["queued", "running", "results_held", "spool_bytes"];
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var status = await cluster.Endpoint.StatusAsync();
                if (status is null)
                    return false;
                var dispatch = status.RootElement.GetProperty("dispatch");
                seen = dispatch.ToString();
                return places.Sum(place => dispatch.GetProperty(place).GetInt64()) > 0;
            },
            "work was beyond the service at its death",
            TimeSpan.FromSeconds(20),
            () => seen);
    }

    /// <summary>Work is at the endpoint or on its way there. On a busy machine all of it may just have come back when the question arrives.</summary>
    protected static Task AtTheEndpointAsync(LocalCluster cluster, Workload work) => Eventually.TrueAsync(
        async () => (await cluster.Api.GroupAsync(work.Group)).Dispatched > 0, "work was beyond the service at the death");

    /// <summary>Gives the number of tasks that ran more than once.</summary>
    protected static async Task<int> FinishAsync(Workload work)
    {
        await work.FlowsAsync();
        var report = await work.FinishAsync(TimeSpan.FromMinutes(2));
        report.GetProperty("acknowledged").GetInt32().ShouldBeGreaterThan(PerBatch);
        return report.GetProperty("executions").EnumerateObject().Where(static entry => entry.Name is not "1").Sum(static entry => entry.Value.GetInt32());
    }
}
