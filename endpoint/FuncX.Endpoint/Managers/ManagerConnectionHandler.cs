using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace FuncX.Endpoint.Managers;

/// <summary>
/// What Kestrel runs for each connection that a manager dials: the handshake, then frames until it ends. Bad bytes, a wrong secret or silence end this one
/// connection and nothing else. The listener uses HTTPS (TLS 1.2 or newer); without it connections are refused.
/// </summary>
public sealed partial class ManagerConnectionHandler(EndpointLoop loop, BufferPool pool, HopCounter hops, ResultRoom results, EndpointConfiguration configuration,
    BlockSupervisor blocks, ILogger<ManagerConnectionHandler> logger) : ConnectionHandler
{
    /// <summary>How often each side says something at least.</summary>
    public const int HeartbeatMilliseconds = 1000;

    private const int LargestHello = 64 << 10;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);

    private readonly BlockWelcome _block = BlockWelcome.From(configuration);
    private readonly StageWelcome? _stage = StageWelcome.From(configuration);
    private readonly WorkersWelcome _workers = WorkersWelcome.From(configuration);

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var peer = connection.RemoteEndPoint?.ToString() ?? "unknown";
        var stream = connection.Features.Get<ISslStreamFeature>()?.SslStream;
        if (stream is null)
        {
            LogRefused(peer, "the listener has no TLS");
            return;
        }

        var buffer = pool.Rent(4096);
        ManagerConnection? manager = null;
        var name = peer;
        try
        {
            (buffer, var filled, var hello, var length) = await ReadHelloAsync(stream, buffer, connection.ConnectionClosed);
            if (Refusal(hello) is { } reason)
            {
                LogRefused(peer, reason);
                await RefuseAsync(stream, reason);
                return;
            }

            manager = new ManagerConnection(stream, pool, hops, loop, connection.Abort, logger);
            var welcome = new ManagerWelcome(ProtocolVersion.Product, ProtocolVersion.Maximum, 0, HeartbeatMilliseconds, _workers, _block, _stage);
            string? impostor = null;
            await loop.Run(dispatcher => impostor = dispatcher.Managers.OnConnected(manager, hello, welcome));
            if (impostor is not null)
            {
                LogRefused(peer, impostor);
                manager = null;
                await RefuseAsync(stream, impostor);
                return;
            }

            name = hello.ToString();
            LogConnected(name, peer);
            buffer.Array.AsSpan(length, filled - length).CopyTo(buffer.Array);
            var owned = buffer;
            buffer = null;
            await manager.ReadAsync(owned, filled - length, results);
            var reasonGone = manager.CloseReason ?? "it closed the connection";
            LogGone(name, reasonGone);
        }
        catch (FrameException problem)
        {
            LogRefused(name, problem.Message);
        }
        catch (Exception problem) when (problem is IOException or OperationCanceledException or ObjectDisposedException or ConnectionAbortedException)
        {
            var reasonGone = manager?.CloseReason ?? problem.Message;
            LogGone(name, reasonGone);
        }
        finally
        {
            buffer?.Release();
            if (manager is not null)
            {
                manager.Close("the connection ended");
                manager.Outbox.Close();
                await loop.Run(dispatcher => dispatcher.Managers.OnDisconnected(manager));
            }
        }
    }

    private static async Task RefuseAsync(Stream stream, string reason)
    {
        var body = ManagerRoster.Refusal(reason);
        var frame = new byte[FrameHeader.Size + body.Length];
        new FrameHeader { Kind = FrameKind.Refused, BodyLength = body.Length, ContentType = ContentType.Json }.Write(frame);
        body.CopyTo(frame, FrameHeader.Size);
        await stream.WriteAsync(frame);
    }

    // The whole hello, and whatever came behind it in the same buffer.
    private async Task<(PooledBuffer Buffer, int Filled, ManagerHello Hello, int Length)> ReadHelloAsync(Stream stream, PooledBuffer buffer, CancellationToken closed)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(closed);
        limit.CancelAfter(_patience);
        var filled = 0;
        while (true)
        {
            if (FrameReader.TryRead(buffer.Array.AsSpan(0, filled), out var header, out var length))
                return (buffer, filled, ParseHello(header, buffer.Array.AsSpan(FrameHeader.Size, header.BodyLength)), length);
            if (length > FrameHeader.Size + LargestHello)
                throw new FrameException($"the first frame has {length} bytes; a hello has at most {LargestHello}");
            if (length > buffer.Array.Length)
            {
                var larger = pool.Rent(length);
                buffer.Array.AsSpan(0, filled).CopyTo(larger.Array);
                buffer.Release();
                buffer = larger;
            }

            var count = await stream.ReadAsync(buffer.Array.AsMemory(filled), limit.Token);
            if (count == 0)
                throw new FrameException("the connection ended before a hello");
            filled += count;
        }
    }

    private static ManagerHello ParseHello(in FrameHeader header, ReadOnlySpan<byte> body) => header.Kind == FrameKind.Hello
        ? ManagerHello.Read(body)
        : throw new FrameException($"the first frame is {header.Kind}; it should be a hello");

    private string? Refusal(ManagerHello hello)
    {
        if (!hello.IsManager && !hello.IsLeader && !hello.IsAgent)
            return $"role '{hello.Role}' does not connect here; only 'manager', 'leader' and 'agent' do";
        if (!ProtocolVersion.TryAgree(hello.ProtocolMinimum, hello.ProtocolMaximum, out _))
            return ProtocolVersion.Mismatch(hello.Version, hello.ProtocolMinimum, hello.ProtocolMaximum);
        if (hello.Manager is not { Length: > 0 and <= 128 } || hello.Block is not { Length: > 0 and <= 64 } || hello.Secret is null)
            return "the hello names no manager (1 to 128 characters), no block (1 to 64) or no secret";
        return blocks.TryAuthenticate(hello.Block, hello.Secret)
            ? null
            : $"the secret is not that of block '{hello.Block}', or that block has ended; the rendezvous file of a running block has the right one";
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Manager} connected from {Address}")]
    private partial void LogConnected(string manager, string address);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Manager} is disconnected: {Reason}")]
    private partial void LogGone(string manager, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "a connection from {Address} was refused: {Reason}")]
    private partial void LogRefused(string address, string reason);
}
