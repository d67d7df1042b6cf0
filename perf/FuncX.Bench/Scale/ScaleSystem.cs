using System.Globalization;
using System.Text.Json;
using FuncX.Bench.Engine;

namespace FuncX.Bench.Scale;

/// <summary>A published endpoint whose one block is one MPI world of simulated workers; the bench plays the service over the real link.</summary>
internal sealed class ScaleSystem : IAsyncDisposable
{
    private static readonly string[] s_tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    private readonly PlayedSystem _system;

    private ScaleSystem(PlayedSystem system, ScaleShape shape)
    {
        _system = system;
        Shape = shape;
    }

    public ScaleShape Shape { get; }

    public EndpointProcess Endpoint => _system.Endpoint;

    /// <summary>Starts all of it and waits until every manager is there.</summary>
    public static async Task<ScaleSystem> StartAsync(ScaleShape shape) => new(await PlayedSystem.StartAsync(shape.Options(), shape.Managers), shape);

    /// <summary>Seconds that the tasks took; each is a frame and an outcome of its own and is checked.</summary>
    public async Task<double> RunAsync(int tasks, double seconds, TimeSpan within)
    {
        try
        {
            return (await _system.Link.RunAsync(new PlayedTasks(tasks) { Seconds = seconds, Simulated = !Shape.Real }, within)).TotalSeconds;
        }
        catch (Exception problem) when (problem is InvalidDataException or TimeoutException)
        {
            throw new InvalidDataException($"{problem.Message}\n{_system.Logs}", problem);
        }
    }

    /// <summary>The endpoint's memory that is no file's.</summary>
    public long EndpointBytes => ProcessTable.PrivateBytes(Endpoint.Identity.Pid);

    /// <summary>Connections at the port where managers, leaders and agents dial in.</summary>
    public int Sockets()
    {
        var port = Endpoint.Port.ToString("X4", CultureInfo.InvariantCulture);
        // local_address is the second field, the state the fourth: 01 is ESTABLISHED.
        return s_tables.Where(File.Exists).SelectMany(File.ReadLines).Count(line =>
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields.Length > 3 && fields[1].EndsWith($":{port}", StringComparison.Ordinal) && fields[3] == "01";
        });
    }

    /// <summary>Frames of tasks and results that each rank received and sent over MPI until now, as its managers told: the fewest and the most.</summary>
    public async Task<(long Fewest, long Most)> FramesPerRankAsync(long tasks)
    {
        var ranks = new Dictionary<int, long>();
        await Eventually.TrueAsync(
            async () =>
            {
                ranks = await FramesByPidAsync();
                return ranks.Values.Sum() >= 2 * tasks;
            },
            $"the managers have told of {tasks} tasks",
            seen: () => string.Join(", ", ranks.Values));
        return (ranks.Values.Min(), ranks.Values.Max());
    }

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    private async Task<Dictionary<int, long>> FramesByPidAsync()
    {
        using var status = await Endpoint.StatusAsync();
        var frames = new Dictionary<int, long>();
        if (status is null)
            return frames;
        foreach (var manager in status.RootElement.GetProperty("dispatch").GetProperty("per_manager").EnumerateArray())
        {
            var hops = manager.GetProperty("hops");
            var pid = manager.GetProperty("pid").GetInt32();
            frames[pid] = frames.GetValueOrDefault(pid) + Number(hops, "tasks_received") + Number(hops, "results_from_workers");
        }

        return frames;
    }

    private static long Number(JsonElement element, string name) => element.GetProperty(name).GetInt64();
}
