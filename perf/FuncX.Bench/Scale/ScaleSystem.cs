using System.Globalization;
using System.Text.Json;
using FuncX.Bench.Engine;

namespace FuncX.Bench.Scale;

/// <summary>A published endpoint whose one block is one MPI world of simulated workers; the bench plays the service over the real link.</summary>
internal sealed class ScaleSystem : IAsyncDisposable
{
    private static readonly string[] s_tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    private readonly string _directory;
    private readonly PlayedService _service;
    private readonly EndpointProcess _endpoint;
    private PlayedLink _link = null!;

    private ScaleSystem(string directory, PlayedService service, EndpointProcess endpoint, ScaleShape shape)
    {
        Shape = shape;
        _directory = directory;
        _service = service;
        _endpoint = endpoint;
    }

    public ScaleShape Shape { get; }

    public EndpointProcess Endpoint => _endpoint;

    /// <summary>Starts all of it and waits until every manager is there.</summary>
    public static async Task<ScaleSystem> StartAsync(ScaleShape shape)
    {
        var directory = LocalCluster.NewDirectory("scale");
        var service = await PlayedService.StartAsync();
        var state = Path.Combine(directory, "endpoint");
        var configuration = Path.Combine(directory, "endpoint.yaml");
        var tokenFile = Path.Combine(directory, "token");
        await WritePrivateAsync(tokenFile, "fxt_of_the_bench");
        await WritePrivateAsync(configuration, shape.Options().Yaml(service.Address, state));
        var system = new ScaleSystem(directory, service, new EndpointProcess(configuration, state, tokenFile, Path.Combine(directory, "endpoint.log")), shape);
        try
        {
            await system._endpoint.StartAsync();
            system._link = await service.LinkAsync();
            await Eventually.TrueAsync(() => system._link.Managers == shape.Managers, $"{shape} are there", TimeSpan.FromMinutes(2), () => $"{system._link.Managers}; {system._endpoint.Tail}");
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>Seconds that the tasks took; each is a frame and an outcome of its own and is checked.</summary>
    public async Task<double> RunAsync(int tasks, double seconds, TimeSpan within)
    {
        try
        {
            return (await _link.RunAsync(new PlayedTasks(tasks) { Seconds = seconds, Simulated = !Shape.Real }, within)).TotalSeconds;
        }
        catch (Exception problem) when (problem is InvalidDataException or TimeoutException)
        {
            throw new InvalidDataException($"{problem.Message}\n{LocalCluster.TailsOf(_directory)}", problem);
        }
    }

    /// <summary>The endpoint's memory that is no file's.</summary>
    public long EndpointBytes => ProcessTable.PrivateBytes(_endpoint.Identity.Pid);

    /// <summary>Connections at the port where managers, leaders and agents dial in.</summary>
    public int Sockets()
    {
        var port = _endpoint.Port.ToString("X4", CultureInfo.InvariantCulture);
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

    public async ValueTask DisposeAsync()
    {
        if (_endpoint.IsAlive)
            await _endpoint.StopAsync();
        await _endpoint.DisposeAsync();
        await _service.DisposeAsync();
        foreach (var entry in ProcessTable.Mentioning(_directory))
            entry.Identity.Kill();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task<Dictionary<int, long>> FramesByPidAsync()
    {
        using var status = await _endpoint.StatusAsync();
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

    private static async Task WritePrivateAsync(string path, string text)
    {
        await File.WriteAllTextAsync(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
