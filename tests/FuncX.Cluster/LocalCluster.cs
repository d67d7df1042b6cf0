using System.Text;
using FuncX.Wire;

namespace FuncX.Cluster;

/// <summary>A service, an endpoint and its blocks on this machine: real programs, a directory of their own, free ports.</summary>
public sealed class LocalCluster : IAsyncDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    // A service that is shared, as it was when it was taken: it goes back only if it is the same at a clean stop.
    private readonly ProcessIdentity? _taken;
    private bool _stopped;

    private LocalCluster(string directory, ServiceProcess service, string user, string tokenFile, ProcessIdentity? taken = null)
    {
        DirectoryPath = directory;
        Service = service;
        User = user;
        TokenFile = tokenFile;
        _taken = taken;
    }

    /// <summary>Everything of this cluster lies under it.</summary>
    public string DirectoryPath { get; }

    public ServiceProcess Service { get; }

    /// <summary>The administrator, or a user of its own on a service that is shared.</summary>
    public string User { get; }

    /// <summary>The file with the user's token.</summary>
    public string TokenFile { get; }

    public EndpointProcess Endpoint { get; private set; } = null!;

    public ServiceApi Api { get; private set; } = null!;

    public string EndpointId => Endpoint.EndpointId;

    /// <summary>A new directory for a cluster or a test, below <c>FUNCX_TESTS_DIRECTORY</c> when that is set.</summary>
    public static string NewDirectory(string name)
    {
        var parent = Environment.GetEnvironmentVariable("FUNCX_TESTS_DIRECTORY") ?? Path.GetTempPath();
        var directory = Path.Combine(parent, $"{name}-{Guid.NewGuid():N}"[..(name.Length + 9)]);
        Directory.CreateDirectory(directory, Private);
        return directory;
    }

    /// <summary>Starts a service alone.</summary>
    public static Task<LocalCluster> StartServiceAsync(
        IReadOnlyDictionary<string, string?>? environment = null, string? dataDirectory = null, params string[] wrapper) =>
        StartServiceWithAsync("", environment, dataDirectory, wrapper);

    /// <summary>Starts a service alone, with a file.</summary>
    public static async Task<LocalCluster> StartServiceWithAsync(
        string yaml, IReadOnlyDictionary<string, string?>? environment = null, string? dataDirectory = null, params string[] wrapper)
    {
        var directory = NewDirectory("cluster");
        var service = new ServiceProcess(dataDirectory ?? Path.Combine(directory, "service"), Path.Combine(directory, "service.log")) { Yaml = yaml };
        var cluster = new LocalCluster(directory, service, "admin", service.AdminTokenFile);
        try
        {
            await cluster.Service.StartAsync(environment, wrapper);
            cluster.Api = new ServiceApi(cluster.Service.Address, (await File.ReadAllTextAsync(cluster.TokenFile)).Trim());
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes a service that others used before and others will use: for whoever leaves it as it is.</summary>
    public static async Task<LocalCluster> ShareServiceAsync()
    {
        var (service, user, token) = await SharedServices.Ours.TakeAsync();
        var directory = NewDirectory("cluster");
        var cluster = new LocalCluster(directory, service, user, Path.Combine(directory, "user.token"), service.Identity) { Api = new ServiceApi(service.Address, token) };
        try
        {
            await File.WriteAllTextAsync(cluster.TokenFile, token);
            File.SetUnixFileMode(cluster.TokenFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a service and an endpoint, and waits until its workers can be given work.</summary>
    public static async Task<LocalCluster> StartAsync(
        EndpointOptions? options = null,
        IReadOnlyDictionary<string, string?>? serviceEnvironment = null,
        IReadOnlyDictionary<string, string?>? endpointEnvironment = null,
        string? dataDirectory = null) =>
        await WithEndpointAsync(await StartServiceAsync(serviceEnvironment, dataDirectory), options ?? new EndpointOptions(), endpointEnvironment);

    /// <summary>The same on a service that is shared.</summary>
    public static async Task<LocalCluster> StartSharingAsync(EndpointOptions options, IReadOnlyDictionary<string, string?>? endpointEnvironment = null) =>
        await WithEndpointAsync(await ShareServiceAsync(), options, endpointEnvironment);

    private static async Task<LocalCluster> WithEndpointAsync(LocalCluster cluster, EndpointOptions options, IReadOnlyDictionary<string, string?>? environment)
    {
        try
        {
            await cluster.AddEndpointAsync(options, environment);
            return cluster;
        }
        catch (Exception problem)
        {
            var report = await cluster.ReportAsync();
            await cluster.DisposeAsync();
            throw new InvalidOperationException($"{problem.Message}\n{report}", problem);
        }
    }

    /// <summary>Starts an endpoint and waits until it is online with a manager, or as many as is said.</summary>
    public async Task AddEndpointAsync(EndpointOptions options, IReadOnlyDictionary<string, string?>? environment = null, int? managers = null)
    {
        Endpoint = CreateEndpoint(options, TokenFile);
        await Endpoint.StartAsync(environment);
        await WaitOnlineAsync(managers ?? (options.BlockIdle is null ? 1 : 0));
    }

    /// <summary>Writes the YAML of this cluster's endpoint, which something else starts: a job.</summary>
    public EndpointProcess UseEndpoint(EndpointOptions options) => Endpoint = CreateEndpoint(options, TokenFile);

    /// <summary>Writes an endpoint's YAML; it is started by whoever asked.</summary>
    public EndpointProcess CreateEndpoint(EndpointOptions options, string tokenFile)
    {
        var state = options.StateDirectory ?? Path.Combine(DirectoryPath, options.Name);
        var configuration = Path.Combine(DirectoryPath, $"{options.Name}.yaml");
        File.WriteAllText(configuration, options.Yaml(Service.Address, state), Encoding.UTF8);
        File.SetUnixFileMode(configuration, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return new EndpointProcess(configuration, state, tokenFile, Path.Combine(DirectoryPath, $"{options.Name}.log"));
    }

    /// <summary>Waits until the service says that the endpoint is online and has a manager.</summary>
    public async Task WaitOnlineAsync(int managers = 1)
    {
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    var info = await Api.EndpointAsync(EndpointId);
                    seen = info.ToString();
                    return info.Online && info.Status?.Managers >= managers;
                }
                catch (Grpc.Core.RpcException away)
                {
                    seen = away.Status.ToString();
                    return false;
                }
            },
            $"endpoint {EndpointId} is online with {managers} manager(s)",
            TimeSpan.FromSeconds(30),
            () => seen);
    }

    /// <summary>Submits <paramref name="count"/> calls with the arguments <c>[0]</c>, <c>[1]</c>, ... in batches, and gives the batches in order.</summary>
    public async Task<List<BatchId>> SubmitRangeAsync(string function, string group, int count, int perBatch = 1_000, FuncX.Contracts.V1.TaskOptions? options = null)
    {
        var batches = new List<BatchId>();
        for (var first = 0; first < count; first += perBatch)
        {
            var from = first;
            var batch = ServiceApi.NewBatch();
            await Api.SubmitAsync(ServiceApi.Request(
                function, EndpointId, group, Enumerable.Range(from, Math.Min(perBatch, count - from)).Select(static i => $"[{i}]"), options, batch));
            batches.Add(batch);
        }

        return batches;
    }

    /// <summary>Waits until the endpoint's note contains a text, or is empty when the text is.</summary>
    public async Task NoteSaysAsync(string text)
    {
        var note = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var status = await Endpoint.StatusAsync();
                note = status?.RootElement.GetProperty("dispatch").GetProperty("note").GetString() ?? "(no status)";
                return text.Length == 0 ? note.Length == 0 : note.Contains(text, StringComparison.Ordinal);
            },
            text.Length == 0 ? "the endpoint's note is empty" : $"the endpoint's note says '{text}'",
            seen: () => $"note: '{note}'");
    }

    /// <summary>What the endpoint says of itself and the last lines of every log, for the message of a failure.</summary>
    public async Task<string> ReportAsync()
    {
        var report = new StringBuilder();
        if (Endpoint is not null && await Endpoint.StatusAsync() is { } status)
        {
            report.AppendLine("---- status of the endpoint").AppendLine(status.RootElement.GetRawText());
            status.Dispose();
        }

        report.Append(TailsOf(DirectoryPath));
        if (_taken is not null)
            report.AppendLine("---- the service").AppendLine(Service.Tail);
        return report.ToString();
    }

    /// <summary>The last lines of every log below a directory.</summary>
    public static string TailsOf(string directory)
    {
        var report = new StringBuilder();
        foreach (var log in Directory.EnumerateFiles(directory, "*.log", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }))
        {
            using var stream = new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            stream.Seek(-Math.Min(stream.Length, 6_000), SeekOrigin.End);
            using var reader = new StreamReader(stream);
            report.AppendLine($"---- {log}").AppendLine(reader.ReadToEnd());
        }

        return report.ToString();
    }

    /// <summary>Stops endpoint and service, unless others use it, as a user would, and gives what still runs of them: nothing, when all is well.</summary>
    public async Task<IReadOnlyList<ProcessEntry>> StopAsync()
    {
        if (Endpoint is { IsAlive: true })
            await Endpoint.StopAsync();
        if (_taken is null && Service.IsAlive)
            await Service.StopAsync();
        var left = Processes();
        // An interpreter whose socket closed needs a moment to see it.
        try
        {
            await Eventually.TrueAsync(() => (left = Processes()).Count == 0, "nothing is left", TimeSpan.FromSeconds(5));
        }
        catch (TimeoutException)
        {
            return left;
        }

        _stopped = true;
        return left;
    }

    // An endpoint's state directory may lie elsewhere, and its managers name that one.
    private IReadOnlyList<ProcessEntry> Processes() => Endpoint is null
        ? ProcessTable.Mentioning(DirectoryPath)
        : [.. ProcessTable.Mentioning(DirectoryPath).Concat(ProcessTable.Mentioning(Endpoint.StateDirectory)).DistinctBy(static entry => entry.Pid)];

    public async ValueTask DisposeAsync()
    {
        Api?.Dispose();
        if (Endpoint is not null)
            await Endpoint.DisposeAsync();
        if (_stopped && Service.IsAlive && Service.Identity == _taken)
            SharedServices.Ours.GiveBack(Service);
        else
            await Service.DisposeAsync();
        // Killed endpoints leave their blocks running by design: nobody else will end these.
        foreach (var entry in Processes())
            entry.Identity.Kill();
        try
        {
            Directory.Delete(DirectoryPath, recursive: true);
        }
        catch (IOException)
        {
            // A process that dies this moment may still write; tests/run removes the rest.
        }
    }
}
