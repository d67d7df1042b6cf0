using System.Text.RegularExpressions;
using FuncX.Bench.Engine;

namespace FuncX.Bench.Scale;

/// <summary>A published endpoint whose one block is one MPI world of simulated workers; the bench plays the service over the real link.</summary>
internal sealed partial class ScaleSystem : IAsyncDisposable
{
    private readonly PlayedSystem _system;
    private long _tasks;

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
            var took = await _system.Link.RunAsync(new PlayedTasks(tasks) { Seconds = seconds, Simulated = !Shape.Real }, within);
            _tasks += tasks;
            return took.TotalSeconds;
        }
        catch (Exception problem) when (problem is InvalidDataException or TimeoutException)
        {
            throw new InvalidDataException($"{problem.Message}\n{_system.Logs}", problem);
        }
    }

    /// <summary>The endpoint's memory that is no file's.</summary>
    public long EndpointBytes => ProcessTable.PrivateBytes(Endpoint.Identity.Pid);

    /// <summary>The launcher and the library of the ranks, as the block's agent has found them.</summary>
    public string Mpi()
    {
        var said = Directory.EnumerateFiles(Path.Combine(Endpoint.StateDirectory, "blocks"), "node-0.log", SearchOption.AllDirectories)
            .SelectMany(File.ReadLines).Select(static line => Found().Match(line)).FirstOrDefault(static match => match.Success);
        return said is null ? Shape.Launcher : $"{said.Groups[1].Value} with {said.Groups[2].Value}";
    }

    /// <summary>Frames over MPI per rank and connections of the endpoint, for people.</summary>
    public Task<string> TrafficAsync() => ScaleTraffic.DescribeAsync(Endpoint, _tasks);

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    // "16 ranks in worlds of at most 128 by mpirun; the MPI library is /lib/libmpi.so.40 (Open MPI v4.1.4, package: ...)"
    [GeneratedRegex(@" by (\S+); the MPI library is (?:\S+ \()?([^,()]+)")]
    private static partial Regex Found();
}
