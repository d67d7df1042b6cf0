using FuncX.Bench.Engine;

namespace FuncX.Bench.Mpi;

/// <summary>An endpoint with one block, one MPI world, in a directory of its own; the bench plays the service.</summary>
internal sealed class WorldUnderBench : IAsyncDisposable
{
    private readonly string _directory;
    private readonly PlayedService _service;

    private WorldUnderBench(string directory, PlayedService service, EndpointProcess endpoint)
    {
        _directory = directory;
        _service = service;
        Endpoint = endpoint;
    }

    public EndpointProcess Endpoint { get; }

    public PlayedLink Link { get; private set; } = null!;

    /// <summary>The processes of the world's ranks.</summary>
    public IReadOnlyList<int> Ranks => [.. Endpoint.Managers().Where(static entry => entry.Arguments.Contains("--world")).Select(static entry => entry.Pid)];

    /// <summary>Starts it and waits until all its managers can be given work.</summary>
    public static async Task<WorldUnderBench> StartAsync(string launcher, int ranks)
    {
        var directory = LocalCluster.NewDirectory("world");
        var service = await PlayedService.StartAsync();
        var token = Path.Combine(directory, "token");
        var configuration = Path.Combine(directory, "endpoint.yaml");
        var state = Path.Combine(directory, "endpoint");
        var options = new EndpointOptions { Name = "mpi", Nodes = ranks, WorkersPerNode = 1, Transport = "mpi", MoreYaml = $"launcher: {{type: {launcher}, ranks_per_world: {ranks}}}" };
        foreach (var (path, text) in ((string, string)[])[(token, "fxt_of_the_bench"), (configuration, options.Yaml(service.Address, state))])
        {
            await File.WriteAllTextAsync(path, text);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        var world = new WorldUnderBench(directory, service, new EndpointProcess(configuration, state, token, Path.Combine(directory, "endpoint.log")));
        try
        {
            await world.Endpoint.StartAsync();
            world.Link = await service.LinkAsync();
            await Eventually.TrueAsync(() => world.Link.Managers == ranks, $"{ranks} managers are there", seen: () => world.Endpoint.Tail);
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Endpoint.IsAlive)
            await Endpoint.StopAsync();
        await Endpoint.DisposeAsync();
        await _service.DisposeAsync();
        foreach (var entry in ProcessTable.Mentioning(_directory))
            entry.Identity.Kill();
        Directory.Delete(_directory, recursive: true);
    }
}
