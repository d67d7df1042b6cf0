using System.Collections.Concurrent;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Tests.Manager;

/// <summary>The endpoint's side of the protocol, as little as a manager needs, with every answer kept for the test to look at.</summary>
internal sealed class EndpointStandIn : IDisposable
{
    private readonly StandInListener _listener;
    private readonly Lock _sending = new();
    private readonly Dictionary<(TaskId, uint), MemoryStream> _joining = [];
    private SslStream? _stream;
    private TcpClient? _client;

    public EndpointStandIn(string directory, object workers)
    {
        Workers = workers;
        _listener = new StandInListener(directory, Serve);
    }

    public string RendezvousFile => _listener.RendezvousFile;

    public object Workers { get; }

    /// <summary>Results by task, in the order they came; more than one is a test's failure or its point.</summary>
    public ConcurrentDictionary<TaskId, ConcurrentQueue<Answer>> Results { get; } = new();

    public ConcurrentQueue<TaskId> Returned { get; } = new();

    public ConcurrentQueue<JsonDocument> Statuses { get; } = new();

    public ConcurrentQueue<InventoryEntry> Inventory { get; } = new();

    public ConcurrentQueue<string> Hellos { get; } = new();

    public int Connections { get; private set; }

    public int HeartbeatMs { get; init; } = 1000;

    /// <summary>False: marks are not acknowledged.</summary>
    public bool Acknowledges { get; set; } = true;

    /// <summary>Not null: hellos are refused with this.</summary>
    public string? Refuses { get; set; }

    public bool Connected => _stream is not null;

    /// <summary>SHA-256 of the certificate that it shows, hexadecimal.</summary>
    public string Fingerprint => _listener.Fingerprint;

    /// <summary>Connections that were begun, whatever became of them.</summary>
    public int Accepted => _listener.Accepted;

    /// <inheritdoc cref="StandInListener.WriteRendezvous"/>
    public void WriteRendezvous(string? fingerprint = null) => _listener.WriteRendezvous(fingerprint);

    public void Function(uint number, string name, string source, string kind = "python") =>
        Send(new FrameHeader { Kind = FrameKind.Function, Function = number }, JsonSerializer.SerializeToUtf8Bytes(new
        {
            id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(source + name))),
            kind,
            name,
            entry = name,
            source,
        }));

    public void Owner(uint number, string name) =>
        Send(new FrameHeader { Kind = FrameKind.Owner, Owner = number }, JsonSerializer.SerializeToUtf8Bytes(new { name }));

    public void Task(TaskId id, uint function, uint owner, string arguments, Action<Tweak>? tweak = null) => Tasks([(id, arguments)], function, owner, tweak);

    public void Tasks(IEnumerable<(TaskId Id, string Arguments)> tasks, uint function, uint owner, Action<Tweak>? tweak = null)
    {
        var options = new Tweak();
        tweak?.Invoke(options);
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        foreach (var (id, arguments) in tasks)
        {
            FrameWriter.WriteSegmented(
                output,
                new FrameHeader
                {
                    Kind = FrameKind.Task,
                    Task = id,
                    Function = function,
                    Owner = owner,
                    Attempt = options.Attempt,
                    Epoch = 7,
                    Ticket = id.Index + 1000,
                    ContentType = ContentType.Json,
                    WalltimeMilliseconds = options.WalltimeMilliseconds,
                    DeadlineMicroseconds = options.DeadlineMicroseconds,
                    Priority = options.Priority,
                },
                Encoding.UTF8.GetBytes(arguments));
        }

        Write(output.WrittenSpan);
    }

    public void Cancel(TaskId id) => Send(new FrameHeader { Kind = FrameKind.Cancel, Task = id }, []);

    public void Recall(uint most) => Send(new FrameHeader { Kind = FrameKind.Recall }, BitConverter.GetBytes(most));

    /// <summary>Says when the job ends.</summary>
    public void JobEnds(DateTimeOffset at) => Send(new FrameHeader { Kind = FrameKind.Ends, DeadlineMicroseconds = at.ToUnixTimeMilliseconds() * 1000 }, []);

    public void Drain() => Send(new FrameHeader { Kind = FrameKind.Drain }, []);

    /// <summary>Sends a frame as it is.</summary>
    public void Raw(FrameKind kind, byte[] body) => Send(new FrameHeader { Kind = kind }, body);

    /// <summary>Breaks the connection; the manager dials again.</summary>
    public void Disconnect()
    {
        var client = _client;
        _stream = null;
        client?.Client?.Close(0);
    }

    public Answer? First(TaskId id) => Results.TryGetValue(id, out var answers) && answers.TryPeek(out var answer) ? answer : null;

    public void Dispose()
    {
        _listener.Stop();
        Disconnect();
        _listener.Dispose();
    }

    private void Send(FrameHeader header, byte[] body)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(output, header, body);
        Write(output.WrittenSpan);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_sending)
            (_stream ?? throw new IOException("the manager is not connected")).Write(bytes);
    }

    private void Serve(TcpClient client, SslStream stream)
    {
        try
        {
            var hello = StandInListener.Read(stream, out var first);
            Hellos.Enqueue(Encoding.UTF8.GetString(hello.AsSpan(FrameHeader.Size)));
            var secret = JsonDocument.Parse(hello.AsMemory(FrameHeader.Size)).RootElement.GetProperty("secret").GetString();
            lock (_sending)
            {
                _client = client;
                _stream = stream;
                var reason = Refuses ?? (secret == _listener.Secret && first.Kind == FrameKind.Hello ? null : "wrong secret");
                if (reason is not null)
                {
                    _stream = null;
                    stream.Write(Frame(FrameKind.Refused, JsonSerializer.SerializeToUtf8Bytes(new { reason })));
                    client.Close();
                    return;
                }

                stream.Write(Frame(FrameKind.Welcome, JsonSerializer.SerializeToUtf8Bytes(new
                {
                    version = "0.1.0", protocol = 1, number = 3, heartbeat_ms = HeartbeatMs, workers = Workers,
                })));
                Connections++;
            }

            while (true)
                Take(StandInListener.Read(stream, out var header), header);
        }
        catch (Exception problem) when (problem is IOException or ObjectDisposedException or InvalidOperationException or FrameException or KeyNotFoundException)
        {
            if (_stream == stream)
                _stream = null;
            client.Close();
        }
    }

    private void Take(byte[] frame, FrameHeader header)
    {
        var body = frame.AsSpan(FrameHeader.Size);
        switch (header.Kind)
        {
            case FrameKind.Result when (header.Flags & FrameFlags.Segmented) != 0:
                _joining[(header.Task, header.Function)] = new MemoryStream();
                _joining[(header.Task, header.Function)].Write(body[8..]);
                break;
            case FrameKind.Segment:
                _joining[(header.Task, header.Function)].Write(body);
                if ((header.Flags & FrameFlags.Last) != 0)
                    Add(header, _joining[(header.Task, header.Function)].ToArray());
                break;
            case FrameKind.Result:
                Add(header, body.ToArray());
                break;
            case FrameKind.Mark when Acknowledges:
                Send(new FrameHeader { Kind = FrameKind.Ack }, body.ToArray());
                break;
            case FrameKind.Heartbeat:
                Send(new FrameHeader { Kind = FrameKind.Heartbeat }, []);
                break;
            case FrameKind.Returned:
                Returned.Enqueue(header.Task);
                break;
            case FrameKind.Status:
                Statuses.Enqueue(JsonDocument.Parse(body.ToArray()));
                break;
            case FrameKind.Inventory:
                for (var at = 0; at < body.Length; at += InventoryEntry.Size)
                    Inventory.Enqueue(InventoryEntry.Read(body[at..]));
                break;
        }
    }

    private void Add(FrameHeader header, byte[] body)
    {
        var prefix = ResultPrefix.Read(body, body.Length);
        var value = body[ResultPrefix.Size..^(prefix.StdoutBytes + prefix.StderrBytes)];
        var stdout = Encoding.UTF8.GetString(body.AsSpan(ResultPrefix.Size + value.Length, prefix.StdoutBytes));
        var stderr = Encoding.UTF8.GetString(body.AsSpan(body.Length - prefix.StderrBytes));
        Results.GetOrAdd(header.Task, _ => new ConcurrentQueue<Answer>()).Enqueue(
            new Answer(header, prefix, Encoding.UTF8.GetString(value), stdout, stderr, DateTime.UtcNow));
    }

    private static byte[] Frame(FrameKind kind, byte[] body)
    {
        var frame = new byte[FrameHeader.Size + body.Length];
        new FrameHeader { Kind = kind, BodyLength = body.Length }.Write(frame);
        body.CopyTo(frame, FrameHeader.Size);
        return frame;
    }

    internal sealed class Tweak
    {
        public ushort Attempt { get; set; } = 1;

        public uint WalltimeMilliseconds { get; set; }

        public long DeadlineMicroseconds { get; set; }

        public byte Priority { get; set; }
    }

    internal sealed record Answer(FrameHeader Header, ResultPrefix Prefix, string Value, string Stdout, string Stderr, DateTime At);
}
