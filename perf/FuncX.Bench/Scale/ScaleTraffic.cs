using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>What passed between an endpoint and the ranks of its world: by MPI, and by connections of its own.</summary>
internal static class ScaleTraffic
{
    private static readonly string[] s_tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <summary>For people; waits until the managers have told of so many tasks.</summary>
    public static async Task<string> DescribeAsync(EndpointProcess endpoint, long tasks)
    {
        var (fewest, most) = await FramesPerRankAsync(endpoint, tasks);
        return string.Create(CultureInfo.InvariantCulture, $"{fewest:#,0} to {most:#,0} frames of tasks and results over MPI per rank; {Sockets(endpoint)} connections at the endpoint's port");
    }

    // Of the rank with the fewest and the one with the most.
    private static async Task<(long Fewest, long Most)> FramesPerRankAsync(EndpointProcess endpoint, long tasks)
    {
        IReadOnlyCollection<long> ranks = [];
        await Eventually.TrueAsync(
            async () =>
            {
                ranks = await FramesByRankAsync(endpoint);
                return ranks.Sum() >= 2 * tasks;
            },
            $"the managers have told of {tasks} tasks",
            seen: () => string.Join(", ", ranks));
        return (ranks.Min(), ranks.Max());
    }

    private static async Task<IReadOnlyCollection<long>> FramesByRankAsync(EndpointProcess endpoint)
    {
        using var status = await endpoint.StatusAsync();
        return status is null ? [] : RankFrames.Of(status.RootElement.GetProperty("dispatch").GetProperty("per_manager"));
    }

    // Connections at the port where managers, leaders and agents dial in.
    private static int Sockets(EndpointProcess endpoint)
    {
        var port = endpoint.Port.ToString("X4", CultureInfo.InvariantCulture);
        // local_address is the second field, the state the fourth: 01 is ESTABLISHED.
        return s_tables.Where(File.Exists).SelectMany(File.ReadLines).Count(line =>
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields.Length > 3 && fields[1].EndsWith($":{port}", StringComparison.Ordinal) && fields[3] == "01";
        });
    }
}
