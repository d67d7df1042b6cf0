using System.Collections.Concurrent;
using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FuncX.Configuration;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.Managers;
using FuncX.Endpoint.Spool;
using FuncX.Providers;
using FuncX.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FuncX.Tests.Unit;

/// <summary>An endpoint's data path in this process, with real TLS and gRPC, between a service and managers that the test plays.</summary>
internal sealed class EndpointHarness : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ListenOptions _listener;

    private EndpointHarness(WebApplication app, ListenOptions listener, string directory)
    {
        _app = app;
        _listener = listener;
        Directory = directory;
    }

    public string Directory { get; }

    public IPEndPoint Address => _listener.IPEndPoint!;

    public EndpointLoop Loop => _app.Services.GetRequiredService<EndpointLoop>();

    public BlockSupervisor Blocks => _app.Services.GetRequiredService<BlockSupervisor>();

    public DispatchLifetime Lifetime => _app.Services.GetRequiredService<DispatchLifetime>();

    public PlayedProvider Provider => (PlayedProvider)_app.Services.GetRequiredService<IBlockProvider>();

    public IEnumerable<IHostedService> Loops => _app.Services.GetServices<IHostedService>();

    public EndpointExit Exit => _app.Services.GetRequiredService<EndpointExit>();

    public CancellationToken Stopping => _app.Lifetime.ApplicationStopping;

    public static string NewDirectory() => System.IO.Directory.CreateTempSubdirectory("funcx-e-").FullName;

    /// <summary>Where the endpoint's results are while the service is away.</summary>
    public static string SpoolOf(string directory, string service) => SpoolDirectory.Of(directory, IdentityAt(service));

    /// <summary>The spool's files, whoever's they are.</summary>
    public IReadOnlyList<string> Spooled()
    {
        var spool = Path.Combine(Directory, "spool");
        return System.IO.Directory.Exists(spool) ? System.IO.Directory.GetFiles(spool, "*", SearchOption.AllDirectories) : [];
    }

    public static async Task<EndpointHarness> StartAsync(string service, string directory, Func<EndpointConfiguration, EndpointConfiguration>? change = null)
    {
        var configuration = new EndpointConfiguration
        {
            Name = "test",
            Service = service,
            StateDirectory = directory,
            Blocks = new BlocksConfiguration { Min = 1, Max = 1 },
            Workers = new WorkersConfiguration { PerNode = 2 },
        };
        configuration = change?.Invoke(configuration) ?? configuration;
        var certificate = NewCertificate();
        ListenOptions? listener = null;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        if (Environment.GetEnvironmentVariable("FUNCX_TEST_LOG") is not null)
            builder.Logging.AddSimpleConsole();
        builder.Services.AddSingleton(configuration).AddSingleton(TimeProvider.System).AddSingleton(certificate);
        builder.Services.AddSingleton(IdentityAt(service));
        builder.Services.AddSingleton(new ManagerProgram("/bin/true"));
        builder.Services.AddSingleton<IBlockProvider, PlayedProvider>();
        builder.Services.AddSingleton<BlockSupervisor>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<BlockSupervisor>());
        builder.Services.AddDispatch();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listener = listen;
            listen.UseHttps(https =>
            {
                https.ServerCertificate = certificate.Certificate;
                https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
            });
            listen.UseConnectionHandler<ManagerConnectionHandler>();
        }));
        var app = builder.Build();
        var supervisor = app.Services.GetRequiredService<BlockSupervisor>();
        await supervisor.RecoverAsync(CancellationToken.None);
        await app.StartAsync();
        supervisor.Listening([$"127.0.0.1:{listener!.IPEndPoint!.Port}"]);
        return new EndpointHarness(app, listener, directory);
    }

    /// <summary>The rendezvous file of the one block.</summary>
    public async Task<(string Block, string Secret)> BlockAsync() => (await BlocksAsync(1))[0];

    public async Task<IReadOnlyList<(string Block, string Secret)>> BlocksAsync(int count)
    {
        string[] paths = [];
        await Eventually.True(() => (paths = System.IO.Directory.GetFiles(Directory, "rendezvous.json", SearchOption.AllDirectories)).Length >= count);
        return [.. paths.Select(path =>
        {
            using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(path));
            return (json.RootElement.GetProperty("block").GetString()!, json.RootElement.GetProperty("secret").GetString()!);
        })];
    }

    public async Task<PlayedManager> ManagerAsync(string name = "m1", params InventoryEntry[] inventory)
    {
        var (block, secret) = await BlockAsync();
        var manager = await PlayedManager.DialAsync(Address);
        await manager.HelloAsync(name, block, secret);
        (await manager.ReadAsync()).Header.Kind.ShouldBeKind(FrameKind.Welcome);
        await manager.InventoryAsync(inventory);
        return manager;
    }

    /// <summary>Ends it the way SIGKILL would: nothing is finished or spooled.</summary>
    public async ValueTask KillAsync()
    {
        Exit.Supersede("killed by the test");
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(1));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    public async Task StopAsync() => await _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(1));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
        await DeleteAsync();
    }

    // A block that ends meanwhile may still leave its exit record.
    private async Task DeleteAsync()
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                System.IO.Directory.Delete(Directory, recursive: true);
                return;
            }
            catch (IOException) when (tries < 100)
            {
                await Task.Delay(20);
            }
        }
    }

    private static EndpointIdentity IdentityAt(string service) =>
        new() { EndpointId = "endpoint", Credential = "fxe_test", ServiceAddress = service, Instance = Guid.NewGuid().ToString("N") };

    private static EndpointCertificate NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=funcx-endpoint", key, HashAlgorithmName.SHA256);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return new EndpointCertificate(X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null));
    }
}

internal sealed class PlayedProvider : IBlockProvider
{
    private readonly ConcurrentDictionary<string, BlockState> _jobs = new(StringComparer.Ordinal);

    public string Name => "played";

    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    public Task<string> SubmitAsync(BlockRequest request, CancellationToken cancellation)
    {
        _jobs[request.BlockId] = BlockState.Running;
        return Task.FromResult(request.BlockId);
    }

    /// <summary>When the time of every block is over, as this provider says.</summary>
    public DateTimeOffset? EndsAt { get; set; }

    /// <summary>Whether every block stands still, as this provider says.</summary>
    public bool Suspended { get; set; }

    /// <summary>Why every block waits, as this provider says; empty: it runs.</summary>
    public string Pending { get; set; } = "";

    /// <summary>How often it was told that asking sooner is worth while.</summary>
    public int Hurries { get; private set; }

    public void Hurry() => Hurries++;

    /// <summary>Whether it says again that every block runs until it has been told twice that asking sooner is worth while: its scheduler was slow, and is spared.</summary>
    public bool Sparing { get; init; }

    /// <summary>What asking throws.</summary>
    public Exception? Failure { get; set; }

    public Task<IReadOnlyList<BlockStatus>> QueryAsync(IReadOnlyList<SubmittedBlock> blocks, CancellationToken cancellation)
    {
        Queries++;
        return Failure is { } failure
            ? Task.FromException<IReadOnlyList<BlockStatus>>(failure)
            : Task.FromResult<IReadOnlyList<BlockStatus>>([.. blocks.Select(block => StatusOf(Sparing && Hurries < 2 ? BlockState.Running : _jobs.GetValueOrDefault(block.JobId, BlockState.Running)))]);
    }

    /// <summary>From now on it says that the block is over.</summary>
    public void End(string block, BlockState how = BlockState.Lost) => _jobs[block] = how;

    private BlockStatus StatusOf(BlockState state) => state == BlockState.Running && Pending.Length > 0
        ? new BlockStatus(BlockState.Pending, Pending)
        : new BlockStatus(state, "", EndsAt: EndsAt, Suspended: Suspended);

    /// <summary>How many orders to end a block are refused before one is taken.</summary>
    public int CancelFailures { get; init; }

    public int Cancels { get; private set; }

    public int Queries { get; private set; }

    public Task<string> RepairAsync(SubmittedBlock block, CancellationToken cancellation) => Task.FromResult(block.JobId);

    public Task CancelAsync(SubmittedBlock block, CancellationToken cancellation)
    {
        if (++Cancels <= CancelFailures)
            throw new BlockProviderException("the scheduler is not in the mood");
        _jobs[block.JobId] = BlockState.Cancelled;
        return Task.CompletedTask;
    }

    public Task<string?> FindAsync(BlockRequest request, CancellationToken cancellation) => Task.FromResult<string?>(request.BlockId);
}

internal static class Eventually
{
    public static async Task True(Func<bool> condition, double seconds = 10)
    {
        var end = Environment.TickCount64 + (long)(seconds * 1000);
        while (!condition())
        {
            if (Environment.TickCount64 > end)
                throw new TimeoutException($"not true within {seconds} s");
            await Task.Delay(5);
        }
    }

    public static void ShouldBeKind(this FrameKind kind, FrameKind expected)
    {
        if (kind != expected)
            throw new InvalidOperationException($"a {kind} frame came; expected {expected}");
    }
}
