using System.Net.Sockets;
using System.Text.Json;
using FuncX.Contracts;

namespace FuncX.Cluster;

/// <summary>A <c>funcx-endpoint</c> in the foreground, with the managers, zygotes and workers it has.</summary>
public sealed class EndpointProcess(string configuration, string stateDirectory, string tokenFile, string logPath) : IAsyncDisposable
{
    private readonly HttpClient _control = new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(stateDirectory, "control.sock")), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
        PooledConnectionLifetime = TimeSpan.Zero,
    })
    {
        BaseAddress = new Uri("http://endpoint"),
        Timeout = TimeSpan.FromSeconds(10),
    };

    private Daemon? _daemon;

    public string StateDirectory { get; } = stateDirectory;

    public string Configuration { get; } = configuration;

    /// <summary>Where managers dial in.</summary>
    public int Port { get; private set; }

    /// <summary>The address of its page of metrics; empty when it listens for none.</summary>
    public string Metrics { get; private set; } = "";

    public ProcessIdentity Identity => _daemon!.Identity;

    public bool IsAlive => _daemon is { HasExited: false };

    public string Tail => _daemon?.Tail ?? "";

    public int ExitCode => _daemon!.ExitCode;

    private string StateFile => Path.Combine(StateDirectory, "endpoint.json");

    /// <summary>Its id at the service; after the first start.</summary>
    public string EndpointId
    {
        get
        {
            using var identity = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(StateDirectory, "identity.json")));
            return identity.RootElement.GetProperty("endpoint_id").GetString()!;
        }
    }

    /// <summary>Starts it and waits until it listens for managers.</summary>
    public async Task StartAsync(IReadOnlyDictionary<string, string?>? environment = null)
    {
        await BeginAsync(environment);
        await Eventually.TrueAsync(
            () => _daemon!.HasExited || TryReadState(),
            $"funcx-endpoint with {Configuration} is ready",
            seen: () => _daemon!.Tail);
        if (_daemon!.HasExited)
            throw new InvalidOperationException($"funcx-endpoint ended with {_daemon.ExitCode} before it was ready:\n{_daemon.Tail}");
    }

    /// <summary>Starts it and does not wait.</summary>
    public async Task BeginAsync(IReadOnlyDictionary<string, string?>? environment = null)
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
        _daemon = Daemon.Start([Programs.Endpoint, "start", "--config", Configuration, "--token-file", tokenFile], logPath, environment);
    }

    /// <summary>What <c>GET /status</c> on its control socket answers; null while it does not.</summary>
    public async Task<JsonDocument?> StatusAsync()
    {
        try
        {
            return JsonDocument.Parse(await _control.GetByteArrayAsync(new Uri("/status", UriKind.Relative)));
        }
        catch (Exception away) when (away is HttpRequestException or IOException or SocketException or TaskCanceledException)
        {
            return null;
        }
    }

    /// <summary>What a path of its control socket answers.</summary>
    public Task<string> AskAsync(string path) => _control.GetStringAsync(new Uri(path, UriKind.Relative));

    /// <summary>The managers of this endpoint, whoever their parent is.</summary>
    public IReadOnlyList<ProcessEntry> Managers() => ProcessTable.Managers(StateDirectory);

    /// <summary>Python processes below the managers: zygotes, and the workers they forked.</summary>
    public (IReadOnlyList<ProcessEntry> Zygotes, IReadOnlyList<ProcessEntry> Workers) Interpreters()
    {
        var managers = Managers().Select(static entry => entry.Pid).ToHashSet();
        var below = new List<ProcessEntry>();
        foreach (var manager in managers)
            below.AddRange(ProcessTable.Tree(manager).Where(static entry => entry.Arguments.Any(static argument => argument.EndsWith("worker.py", StringComparison.Ordinal))));
        var byPid = below.DistinctBy(static entry => entry.Pid).ToDictionary(static entry => entry.Pid);
        // A worker is a fork of its zygote and shows the same arguments; a zygote's parent is no interpreter.
        var workers = byPid.Values.Where(entry => byPid.ContainsKey(entry.Parent)).ToList();
        var zygotes = byPid.Values.Where(entry => !byPid.ContainsKey(entry.Parent) && entry.Arguments.Contains("--zygote")).ToList();
        return (zygotes, workers);
    }

    /// <summary>SIGKILL to the endpoint alone: its blocks go on.</summary>
    public async Task KillAsync() => await _daemon!.KillAsync();

    public async Task WaitForExitAsync(TimeSpan? within = null) => await _daemon!.WaitAsync(within ?? Eventually.Patience);

    /// <summary>SIGTERM: a clean stop, which ends its blocks too.</summary>
    /// <returns>Its exit status.</returns>
    public async Task<int> StopAsync() => await _daemon!.StopAsync();

    public async ValueTask DisposeAsync()
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
        _control.Dispose();
    }

    private bool TryReadState()
    {
        var text = ProcessTable.ReadBytes(StateFile);
        if (text.Length == 0)
            return false;
        using var state = JsonDocument.Parse(text);
        if (state.RootElement.GetProperty("pid").GetInt32() != _daemon!.Identity.Pid)
            return false;
        Port = state.RootElement.GetProperty("port").GetInt32();
        Metrics = state.RootElement.GetProperty("metrics").GetString() ?? "";
        return true;
    }
}
