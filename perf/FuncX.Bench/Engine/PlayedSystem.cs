namespace FuncX.Bench.Engine;

/// <summary>An endpoint as shipped with its blocks, in a directory of its own; the bench plays the service over the real link.</summary>
internal sealed class PlayedSystem : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly string _directory;
    private readonly PlayedService _service;

    private PlayedSystem(string directory, PlayedService service, EndpointProcess endpoint)
    {
        _directory = directory;
        _service = service;
        Endpoint = endpoint;
    }

    public EndpointProcess Endpoint { get; }

    public PlayedLink Link { get; private set; } = null!;

    /// <summary>The last lines of every log, for the message of a failure.</summary>
    public string Logs => LocalCluster.TailsOf(_directory);

    /// <summary>Starts it and waits until so many managers can be given work.</summary>
    public static async Task<PlayedSystem> StartAsync(EndpointOptions options, int managers)
    {
        var directory = LocalCluster.NewDirectory(options.Name);
        var service = await PlayedService.StartAsync();
        var token = Path.Combine(directory, "token");
        var configuration = Path.Combine(directory, "endpoint.yaml");
        var state = Path.Combine(directory, "endpoint");
        foreach (var (path, text) in ((string, string)[])[(token, "fxt_of_the_bench"), (configuration, options.Yaml(service.Address, state))])
        {
            await File.WriteAllTextAsync(path, text);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        var system = new PlayedSystem(directory, service, new EndpointProcess(configuration, state, token, Path.Combine(directory, "endpoint.log")));
        try
        {
            await system.Endpoint.StartAsync();
            system.Link = await service.LinkAsync();
            await Eventually.TrueAsync(() => system.Link.Managers == managers, $"{managers} managers are there", s_patience, () => $"{system.Link.Managers}\n{system.Logs}");
            return system;
        }
        catch
        {
            await system.DisposeAsync();
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
