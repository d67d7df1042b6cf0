using System.Text.Json;

namespace FuncX.Bench.Scale;

/// <summary>What each rank of a world moved over MPI, from the counters of its managers in the endpoint's status.</summary>
internal static class RankFrames
{
    /// <summary>Frames of tasks and results that each rank received and sent until now, as its managers told.</summary>
    /// <param name="perManager"><c>dispatch.per_manager</c> of the status.</param>
    public static IReadOnlyCollection<long> Of(JsonElement perManager)
    {
        // A rank's logical managers are one process, and a process has its number on its node alone.
        var frames = new Dictionary<(string Node, int Pid), long>();
        foreach (var manager in perManager.EnumerateArray())
        {
            var hops = manager.GetProperty("hops");
            var rank = (manager.GetProperty("node").GetString()!, manager.GetProperty("pid").GetInt32());
            frames[rank] = frames.GetValueOrDefault(rank) + Number(hops, "tasks_received") + Number(hops, "results_from_workers");
        }

        return frames.Values;
    }

    private static long Number(JsonElement element, string name) => element.GetProperty(name).GetInt64();
}
