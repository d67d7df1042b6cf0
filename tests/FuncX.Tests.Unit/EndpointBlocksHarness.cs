using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Local;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>A <see cref="BlockSupervisor"/> on a state directory of the test's own, one process of the endpoint after another; what each reports is written down.</summary>
public abstract class EndpointBlocksHarness : IAsyncLifetime
{
    private readonly List<BlockSupervisor> _supervisors = [];
    private FakeTimeProvider? _time;

    /// <summary>What the supervisors have reported, a sentence each.</summary>
    protected ConcurrentQueue<string> Reports { get; } = new();

    protected ConfigurationScratch Scratch { get; } = new();

    protected EndpointConfiguration Configuration { get; set; } = null!;

    protected EndpointCertificate Certificate { get; private set; } = null!;

    public ValueTask InitializeAsync()
    {
        Configuration = EndpointConfigurationFile.Parse("x.yaml", $"name: a\nservice: https://x.org\nstate_dir: {Scratch.Path}/state\n").Value!;
        StateDirectory.Prepare(Configuration.StateDirectory);
        Certificate = CertificateFile.LoadOrCreate(Configuration.StateDirectory, TimeProvider.System);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_supervisors.Count > 0)
        {
            var ended = _supervisors[^1].EndAllAsync(TimeSpan.FromSeconds(15));
            // By a clock that only a test moves nothing would end after one that has failed.
            while (_time is { } time && !ended.IsCompleted)
            {
                time.Advance(TimeSpan.FromMilliseconds(50));
                await Task.Delay(5);
            }

            await ended;
            foreach (var supervisor in _supervisors)
            {
                await supervisor.StopAsync(CancellationToken.None);
                supervisor.Dispose();
            }
        }

        Certificate.Dispose();
        Scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Starts a process of the endpoint, as far as blocks go; <paramref name="body"/> is what its manager does.</summary>
    protected async Task<BlockSupervisor> StartAsync(string body, string address, string service = "https://x.org", IBlockProvider? provider = null, TimeProvider? time = null, bool listening = true, ILogger<BlockSupervisor>? logger = null)
    {
        var supervisor = new BlockSupervisor(Configuration, Identity(service), provider ?? new LocalProvider(TimeProvider.System), new WrittenReports(Reports), Certificate,
            new ManagerProgram(Scratch.WriteManager(body)), time ?? TimeProvider.System, logger ?? NullLogger<BlockSupervisor>.Instance);
        _supervisors.Add(supervisor);
        _time = time as FakeTimeProvider;
        await supervisor.RecoverAsync(CancellationToken.None);
        await supervisor.StartAsync(CancellationToken.None);
        if (listening)
            supervisor.Listening([address]);
        return supervisor;
    }

    /// <summary>The same, and has its block b1 run.</summary>
    protected async Task<BlockSupervisor> StartBlockAsync(string body = "exec sleep 600", IBlockProvider? provider = null, TimeProvider? time = null)
    {
        var supervisor = await StartAsync(body, "127.0.0.1:1111", provider: provider, time: time);
        supervisor.Request("b1");
        await EventuallyAsync(() => Reports.Contains("running b1"));
        return supervisor;
    }

    protected int[] Pids(string block) =>
        [.. PrivateFile.ReadJson<BlockFile>(PathOf(block, "block.json"))!.JobId!.Split('/')[2].Split(',').Select(node => int.Parse(node.Split('.')[0]))];

    protected static EndpointIdentity Identity(string service) => new() { EndpointId = "e1", Credential = "fxe_x", ServiceAddress = service, Instance = "i" };

    protected RendezvousFile ReadRendezvous(string block) => JsonSerializer.Deserialize<RendezvousFile>(File.ReadAllText(PathOf(block, "rendezvous.json")))!;

    protected async Task EventuallyAsync(Func<bool> condition)
    {
        var begun = Stopwatch.StartNew();
        while (!condition())
        {
            begun.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20), $"reports: {string.Join(" | ", Reports)}");
            await Task.Delay(20);
        }
    }

    private string PathOf(string block, string file) => Path.Combine(Configuration.StateDirectory, "blocks", block, file);

    private sealed class WrittenReports(ConcurrentQueue<string> reports) : IBlockObserver
    {
        public void OnBlockRunning(string blockId) => reports.Enqueue($"running {blockId}");

        public void OnBlockEnded(string blockId, BlockEnding ending) => reports.Enqueue($"ended {blockId} {ending.Reason}");

        public void OnBlockEnds(string blockId, DateTimeOffset endsAt) => reports.Enqueue($"ends {blockId} {endsAt:HH:mm:ss}");

        public void OnBlockSuspended(string blockId, bool suspended) => reports.Enqueue($"{(suspended ? "suspended" : "goes on")} {blockId}");

        public void OnBlockPending(string blockId, string reason) => reports.Enqueue($"waits {blockId}: {reason}");
    }
}
