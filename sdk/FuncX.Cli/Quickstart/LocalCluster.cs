using System.Globalization;
using System.Text.Json;
using FuncX.Client;
using FuncX.Contracts;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Quickstart;

/// <summary>
/// A service, an endpoint with the local provider, and its manager and workers, in a temporary directory of this user's on free loopback ports. Disposing stops all
/// of it: first the endpoint, which ends its block, then the service; whatever still runs out of the directory after that is killed.
/// </summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(8);

    private readonly bool _keep;
    private readonly Guard _guard;
    private ChildProcess? _service;
    private ChildProcess? _endpoint;
    private FuncXClient? _client;

    public LocalCluster(bool keep)
    {
        _keep = keep;
        DirectoryPath = Directory.CreateTempSubdirectory("funcx-quickstart-").FullName;
        _guard = Guard.Start(DirectoryPath, keep);
    }

    public string DirectoryPath { get; }

    /// <summary>True when the manager needs the .NET runtime because it was not published ahead of time.</summary>
    public static bool ManagerIsJit => !Programs.IsCompiledAheadOfTime(Programs.Manager);

    public FuncXClient Client => _client ?? throw new InvalidOperationException("The service was not started.");

    /// <summary>Starts the service and waits until it listens.</summary>
    public async Task StartServiceAsync(CancellationToken cancellation)
    {
        var data = Directory.CreateDirectory(Path.Combine(DirectoryPath, "service")).FullName;
        _service = Start("funcx-service", Programs.Service, "start", "--data-dir", data, "--listen", "127.0.0.1:0");
        var ready = Path.Combine(data, "service.json");
        await WaitAsync(_service, "to say where it listens", () => Task.FromResult(File.Exists(ready)), cancellation);
        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(ready, cancellation));
        var address = new Uri(document.RootElement.GetProperty("address").GetString()!);
        _client = new FuncXClient(address, Invocation.ReadToken(Path.Combine(data, "admin.token")));
    }

    /// <summary>Starts the endpoint and waits until it is connected and its workers are there.</summary>
    public async Task<EndpointInfo> StartEndpointAsync(string name, int workers, string python, CancellationToken cancellation)
    {
        var configuration = Path.Combine(DirectoryPath, "endpoint.yaml");
        await WritePrivateAsync(configuration, Configuration(name, workers, python), cancellation);
        var token = Path.Combine(DirectoryPath, "service", "admin.token");
        // An endpoint refuses one that needs the runtime unless it is told; whoever tries quickstart has perhaps only built.
        string[] jit = ManagerIsJit ? ["--jit-manager"] : [];
        _endpoint = Start("funcx-endpoint", Programs.Endpoint, ["start", "--config", configuration, "--token-file", token, .. jit]);
        EndpointInfo? endpoint = null;
        await WaitAsync(
            _endpoint,
            $"to connect and to have {workers} workers",
            async () =>
            {
                endpoint = (await Client.Endpoints.ListAsync(cancellation)).FirstOrDefault(candidate => candidate.Name == name);
                return endpoint is { Online: true, Status.Managers: > 0 } && endpoint.Status.Workers >= workers;
            },
            cancellation,
            () => endpoint is null ? "it has not registered" : $"online: {endpoint.Online}, managers: {endpoint.Status?.Managers ?? 0}, workers: {endpoint.Status?.Workers ?? 0}, note: '{endpoint.Status?.Note}'");
        return endpoint!;
    }

    /// <summary>Logs whoever sets <c>FUNCX_CONFIG_DIR</c> to the directory in to its service.</summary>
    public void WriteCredentials()
    {
        var address = Client.Address.GetLeftPart(UriPartial.Authority);
        var token = Invocation.ReadToken(Path.Combine(DirectoryPath, "service", "admin.token"));
        new CredentialsFile { Current = address, Tokens = { [address] = token } }.Write(Path.Combine(DirectoryPath, "credentials.json"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
            await _client.DisposeAsync();
        if (_endpoint is not null)
            await _endpoint.StopAsync(StopPatience);
        if (_service is not null)
            await _service.StopAsync(StopPatience);
        Leftovers.Kill(DirectoryPath);
        if (_endpoint is not null)
            await _endpoint.DisposeAsync();
        if (_service is not null)
            await _service.DisposeAsync();
        if (!_keep)
            Directory.Delete(DirectoryPath, recursive: true);
        await _guard.DisposeAsync();
    }

    /// <summary>The processes and what they said last, the most likely culprit first.</summary>
    public IEnumerable<ChildProcess> Processes => new[] { _endpoint, _service }.OfType<ChildProcess>().OrderByDescending(process => process.HasExited);

    private ChildProcess Start(string name, string program, params string[] arguments) => ChildProcess.Start(
        name, program, arguments, DirectoryPath, new Dictionary<string, string>(StringComparer.Ordinal) { ["FUNCX_CONFIG_DIR"] = DirectoryPath });

    private string Configuration(string name, int workers, string python) => string.Create(CultureInfo.InvariantCulture, $$"""
        name: {{name}}
        service: {{Client.Address.GetLeftPart(UriPartial.Authority)}}
        state_dir: {{Path.Combine(DirectoryPath, "endpoint")}}
        provider: {type: local, nodes: 1}
        blocks: {min: 1, init: 1, max: 1}
        transport: tcp
        workers:
          per_node: {{workers}}
          python: {{python}}

        """);

    private static async Task WritePrivateAsync(string path, string text, CancellationToken cancellation)
    {
        await using var stream = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        await using var writer = new StreamWriter(stream);
        await writer.WriteAsync(text.AsMemory(), cancellation);
    }

    private static async Task WaitAsync(ChildProcess process, string what, Func<Task<bool>> isReady, CancellationToken cancellation, Func<string>? seen = null)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(StartPatience);
        try
        {
            while (!await isReady())
            {
                if (process.HasExited)
                    throw new FuncXException(FuncXErrorKind.Failed, $"{process.Name} ended while quickstart waited for it {what} ({process.Ending}).");
                await Task.Delay(TimeSpan.FromMilliseconds(10), patience.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new FuncXException(
                FuncXErrorKind.Failed, $"{process.Name} took longer than {StartPatience.TotalSeconds:0} s {what}{(seen is null ? "" : $"; seen last: {seen()}")}.");
        }
    }
}
