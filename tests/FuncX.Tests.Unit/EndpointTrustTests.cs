using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Whom an endpoint takes for a manager, leader or agent of its blocks.</summary>
public sealed class EndpointTrustTests
{
    public static TheoryData<string> Roles => ["manager", "leader", "agent"];

    [Theory]
    [MemberData(nameof(Roles))]
    public async Task A_wrong_secret_is_refused_and_so_is_a_block_that_has_ended(string role)
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var (block, secret) = await endpoint.BlockAsync();
        (await RefusalAsync(endpoint, peer => peer.HelloAsync("x", block, secret[..^1] + (secret[^1] == '0' ? '1' : '0'), role: role))).ShouldContain("the secret is not that of block");
        (await RefusalAsync(endpoint, peer => peer.HelloAsync("x", block, "", role: role))).ShouldContain("the secret is not that of block");
        (await RefusalAsync(endpoint, peer => peer.HelloAsync("x", "another", secret, role: role))).ShouldContain("the secret is not that of block 'another'");

        // Said again word for word when the block is over, what was right is worth nothing.
        await (await ConnectAsync(endpoint.Address, block, secret, role)).DisposeAsync();
        endpoint.Blocks.End(block);
        await Eventually.True(() => endpoint.Blocks.Current().All(other => other.BlockId != block));
        (await RefusalAsync(endpoint, peer => peer.HelloAsync("x", block, secret, role: role))).ShouldContain("that block has ended");
    }

    [Theory]
    [MemberData(nameof(Roles))]
    public async Task What_somebody_recorded_on_the_way_opens_nothing_when_it_is_sent_again(string role)
    {
        await using var service = await PlayedService.StartAsync();
        await using var endpoint = await EndpointHarness.StartAsync(service.Address, EndpointHarness.NewDirectory());
        var (block, secret) = await endpoint.BlockAsync();
        using var wire = new TappedWire(endpoint.Address);
        await using var first = await ConnectAsync(wire.Address, block, secret, role);
        var recorded = wire.Recorded;
        recorded.Length.ShouldBeGreaterThan(500, "a handshake and a hello");

        for (var replay = 0; replay < 3; replay++)
        {
            using var stranger = new TcpClient();
            await stranger.ConnectAsync(endpoint.Address, TestContext.Current.CancellationToken);
            await stranger.GetStream().WriteAsync(recorded, TestContext.Current.CancellationToken);
            await EndsAsync(stranger.GetStream());
        }

        // Had one of them been taken for the first, that one's connection would have been closed.
        await StillHeardAsync(endpoint, first, role);
    }

    private static async Task<PlayedManager> ConnectAsync(IPEndPoint address, string block, string secret, string role)
    {
        var peer = await PlayedManager.DialAsync(address);
        await peer.HelloAsync("x", block, secret, role: role);
        (await peer.ReadAsync()).Header.Kind.ShouldBe(FrameKind.Welcome);
        return peer;
    }

    private static async Task StillHeardAsync(EndpointHarness endpoint, PlayedManager peer, string role)
    {
        if (role == "agent")
        {
            await peer.SendAsync(new FrameHeader { Kind = FrameKind.Status, ContentType = ContentType.Json }, """{"worlds_running": 3}"""u8.ToArray());
            await Eventually.True(() => endpoint.Loop.DescribeAsync().AsTask().Result.WorldsRunning == 3);
            return;
        }

        if (role == "leader")
        {
            await peer.MemberAsync("m1", 1);
            await peer.ReadAsync(FrameKind.Welcome);
        }

        await peer.InventoryAsync(role == "leader" ? 1u : 0);
        await Eventually.True(() => endpoint.Loop.DescribeAsync().AsTask().Result.PerManager.Count == 1);
    }

    // Whatever the other side says until then is its half of a handshake.
    private static async Task EndsAsync(NetworkStream stream)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var bytes = new byte[4096];
        try
        {
            while (await stream.ReadAsync(bytes, limit.Token) > 0)
            {
            }
        }
        catch (IOException)
        {
            // A reset is an end as well.
        }
    }

    private static async Task<string> RefusalAsync(EndpointHarness endpoint, Func<PlayedManager, Task> hello)
    {
        await using var peer = await PlayedManager.DialAsync(endpoint.Address);
        await hello(peer);
        var (header, body) = await peer.ReadAsync();
        header.Kind.ShouldBe(FrameKind.Refused);
        await Should.ThrowAsync<IOException>(() => peer.ReadAsync());
        return JsonDocument.Parse(body).RootElement.GetProperty("reason").GetString()!;
    }

    /// <summary>Passes on what goes between those who dial it and the endpoint, and keeps what the former say.</summary>
    private sealed class TappedWire : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly IPEndPoint _behind;
        private readonly MemoryStream _recorded = new();

        public TappedWire(IPEndPoint behind)
        {
            _behind = behind;
            _listener.Start();
            _ = AcceptAsync();
        }

        public IPEndPoint Address => (IPEndPoint)_listener.LocalEndpoint;

        public byte[] Recorded
        {
            get
            {
                lock (_recorded)
                    return _recorded.ToArray();
            }
        }

        public void Dispose() => _listener.Dispose();

        private async Task AcceptAsync()
        {
            using var dialled = await _listener.AcceptTcpClientAsync();
            using var endpoint = new TcpClient { NoDelay = true };
            await endpoint.ConnectAsync(_behind);
            await Task.WhenAny(PassAsync(dialled.GetStream(), endpoint.GetStream(), _recorded), PassAsync(endpoint.GetStream(), dialled.GetStream(), null));
        }

        private static async Task PassAsync(NetworkStream from, NetworkStream to, MemoryStream? record)
        {
            var bytes = new byte[16 * 1024];
            try
            {
                while (await from.ReadAsync(bytes) is var count and > 0)
                {
                    if (record is not null)
                    {
                        lock (record)
                            record.Write(bytes, 0, count);
                    }

                    await to.WriteAsync(bytes.AsMemory(0, count));
                }
            }
            catch (Exception ended) when (ended is IOException or ObjectDisposedException)
            {
                // One side has left.
            }
        }
    }
}
