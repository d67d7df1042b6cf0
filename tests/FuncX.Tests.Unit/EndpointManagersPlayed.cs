using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Tests.Unit;

/// <summary>A manager that does what the test says, over real TLS.</summary>
internal sealed class PlayedManager : IAsyncDisposable
{
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Timer _heartbeat;
    private readonly TcpClient _client;
    private readonly SslStream _stream;
    private byte[] _buffer = new byte[1 << 20];
    private int _start;
    private int _end;

    private PlayedManager(TcpClient client, SslStream stream)
    {
        _client = client;
        _stream = stream;
        _heartbeat = new Timer(_ => Beat(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    public SslStream Stream => _stream;

    /// <summary>Called for each heartbeat that is read over.</summary>
    public Action<FrameHeader>? OnHeartbeat { get; set; }

    public static async Task<PlayedManager> DialAsync(IPEndPoint address)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(address);
        var stream = new SslStream(client.GetStream(), false, (_, certificate, _, _) => certificate is not null);
        await stream.AuthenticateAsClientAsync("funcx-endpoint");
        return new PlayedManager(client, stream);
    }

    public Task HelloAsync(string name, string block, string secret, int minimum = ProtocolVersion.Minimum, int maximum = ProtocolVersion.Maximum, string role = "manager") =>
        SendAsync(new FrameHeader { Kind = FrameKind.Hello, ContentType = ContentType.Json }, JsonSerializer.SerializeToUtf8Bytes(new
        {
            role, version = "9.9.9", protocol_minimum = minimum, protocol_maximum = maximum, secret, block, manager = name, node = "n1", pid = 1,
        }));

    /// <summary>A manager behind this leader begins.</summary>
    public Task MemberAsync(string name, uint destination) =>
        SendAsync(new FrameHeader { Kind = FrameKind.Hello, ContentType = ContentType.Json, Destination = destination }, JsonSerializer.SerializeToUtf8Bytes(new
        {
            role = "manager", version = "9.9.9", protocol_minimum = ProtocolVersion.Minimum, protocol_maximum = ProtocolVersion.Maximum, manager = name, node = $"n{destination}", pid = (int)destination,
        }));

    public Task InventoryAsync(params InventoryEntry[] entries) => InventoryAsync(destination: 0, entries);

    public async Task InventoryAsync(uint destination, params InventoryEntry[] entries)
    {
        var body = new byte[entries.Length * InventoryEntry.Size];
        for (var i = 0; i < entries.Length; i++)
            entries[i].Write(body.AsSpan(i * InventoryEntry.Size));
        await SendAsync(new FrameHeader { Kind = FrameKind.Inventory, Flags = FrameFlags.Last, Destination = destination }, body);
    }

    public async Task SendAsync(FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var writer = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(writer, header, body.Span);
        await _writing.WaitAsync();
        try
        {
            await _stream.WriteAsync(writer.WrittenMemory);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Says nothing more of its own accord.</summary>
    public void FallSilent() => _heartbeat.Dispose();

    public Task MarkAsync(ulong sequence, uint destination = 0) => SendAsync(new FrameHeader { Kind = FrameKind.Mark, Destination = destination }, BitConverter.GetBytes(sequence));

    /// <summary>Answers a task.</summary>
    public Task AnswerAsync(FrameHeader task, ReadOnlySpan<byte> value, TaskOutcome outcome = TaskOutcome.Value)
    {
        var body = new byte[ResultPrefix.Size + value.Length];
        new ResultPrefix { Outcome = outcome, ContentType = ContentType.Json, WorkerStarted = 1_000_000, WorkerEnded = 1_000_010 }.Write(body);
        value.CopyTo(body.AsSpan(ResultPrefix.Size));
        var header = task;
        header.Kind = FrameKind.Result;
        header.Flags = FrameFlags.None;
        return SendAsync(header, body);
    }

    /// <summary>The next frame but heartbeats.</summary>
    public async Task<(FrameHeader Header, byte[] Body)> ReadAsync(double seconds = 10)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (true)
        {
            if (FrameReader.TryRead(_buffer.AsSpan(_start, _end - _start), out var header, out var length))
            {
                var body = _buffer.AsSpan(_start + FrameHeader.Size, header.BodyLength).ToArray();
                _start += length;
                if (header.Kind != FrameKind.Heartbeat)
                    return (header, body);
                OnHeartbeat?.Invoke(header);
                continue;
            }

            if (_start > 0)
            {
                Buffer.BlockCopy(_buffer, _start, _buffer, 0, _end - _start);
                _end -= _start;
                _start = 0;
            }

            var count = await _stream.ReadAsync(_buffer.AsMemory(_end), limit.Token);
            if (count == 0)
                throw new EndOfStreamException();
            _end += count;
        }
    }

    /// <summary>The next frame of a kind; others in between are skipped.</summary>
    public async Task<(FrameHeader Header, byte[] Body)> ReadAsync(FrameKind kind, double seconds = 10)
    {
        while (true)
        {
            var frame = await ReadAsync(seconds);
            if (frame.Header.Kind == kind)
                return frame;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _heartbeat.DisposeAsync();
        await _stream.DisposeAsync();
        _client.Dispose();
    }

    private void Beat() => _ = SendAsync(new FrameHeader { Kind = FrameKind.Heartbeat }, default).ContinueWith(
        static sent => sent.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
