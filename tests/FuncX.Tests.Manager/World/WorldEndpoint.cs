using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Tests.Manager.World;

/// <summary>
/// The endpoint's side towards a leader and the managers behind it, as little as a world needs. It knows which manager it gave a task to, and gives it again what
/// an inventory shows that it never got.
/// </summary>
internal sealed class WorldEndpoint : IDisposable
{
    private readonly StandInListener _listener;
    private readonly Lock _gate = new();
    private readonly object _workers;
    private readonly object? _stage;
    private readonly HashSet<string> _functions = [];
    private readonly Dictionary<(uint, TaskId, uint), MemoryStream> _joining = [];
    private readonly Dictionary<TaskId, byte[]> _frames = [];
    private SslStream? _stream;
    private TcpClient? _client;

    public WorldEndpoint(string directory, object workers, object? stage = null)
    {
        _workers = workers;
        _stage = stage;
        _listener = new StandInListener(directory, Serve);
    }

    public string RendezvousFile => _listener.RendezvousFile;

    public int HeartbeatMs { get; init; } = 1000;

    /// <summary>Stands behind the source of every function.</summary>
    public string MoreSource { get; set; } = "";

    public int Connections { get; private set; }

    /// <summary>The longest time for which a welcomed leader said nothing while this listened; what came of it takes its time to be read, which is no silence.</summary>
    public TimeSpan LongestSilence { get; private set; }

    /// <summary>False: it does not read what the leader sends.</summary>
    public ManualResetEventSlim Reads { get; } = new(initialState: true);

    /// <summary>Managers by their destination, whether they are there or not.</summary>
    public ConcurrentDictionary<uint, PlayedManager> Managers { get; } = new();

    public ConcurrentDictionary<TaskId, ConcurrentQueue<EndpointStandIn.Answer>> Results { get; } = new();

    public ConcurrentQueue<TaskId> Returned { get; } = new();

    public ConcurrentQueue<uint> Gone { get; } = new();

    /// <summary>How often the code of a function went to the leader.</summary>
    public int FunctionsSent { get; private set; }

    /// <summary>Of the body of the one that went last.</summary>
    public int FunctionBytes { get; private set; }

    /// <summary>The leader's hellos.</summary>
    public ConcurrentQueue<JsonElement> Leaders { get; } = new();

    /// <summary>What went wrong here: frames that say they are from a manager that never said hello, and the like.</summary>
    public ConcurrentQueue<string> Problems { get; } = new();

    /// <summary>Managers that said hello and what they hold on the connection that is there.</summary>
    public int Present => Managers.Values.Count(static manager => manager.Present);

    public void Submit(uint manager, IEnumerable<(TaskId Id, string Arguments)> tasks, string function)
    {
        lock (_gate)
        {
            var played = Managers[manager];
            var output = new ArrayBufferWriter<byte>();
            foreach (var (id, arguments) in tasks)
            {
                var frames = new ArrayBufferWriter<byte>();
                FrameWriter.WriteSegmented(
                    frames,
                    new FrameHeader
                    {
                        Kind = FrameKind.Task, Task = id, Function = Number(function), Owner = 1, Destination = manager, Attempt = 1, Epoch = 7, Ticket = id.Index + 1000, ContentType = ContentType.Json,
                    },
                    Encoding.UTF8.GetBytes(arguments));
                _frames[id] = frames.WrittenSpan.ToArray();
                played.Given[id] = function;
                if (played.Present)
                    Give(played, id, output);
            }

            Write(output.WrittenSpan);
        }
    }

    public void Send(FrameKind kind, uint destination, byte[]? body = null)
    {
        lock (_gate)
            Write(Frame(new FrameHeader { Kind = kind, Destination = destination }, body ?? []));
    }

    /// <summary>Says when the job ends.</summary>
    public void JobEnds(uint destination, DateTimeOffset at)
    {
        lock (_gate)
            Write(Frame(new FrameHeader { Kind = FrameKind.Ends, Destination = destination, DeadlineMicroseconds = at.ToUnixTimeMilliseconds() * 1000 }, []));
    }

    public void Cancel(uint manager, TaskId task)
    {
        lock (_gate)
            Write(Frame(new FrameHeader { Kind = FrameKind.Cancel, Destination = manager, Task = task }, []));
    }

    public EndpointStandIn.Answer? First(TaskId id) => Results.TryGetValue(id, out var answers) && answers.TryPeek(out var answer) ? answer : null;

    /// <summary>Breaks the connection; the leader dials again.</summary>
    public void Disconnect()
    {
        lock (_gate)
        {
            Leave();
            _client?.Client?.Close(0);
        }
    }

    public void Dispose()
    {
        _listener.Stop();
        Reads.Set();
        Disconnect();
        _listener.Dispose();
    }

    // Functions have the number of their place in the source.
    private static uint Number(string function) => (uint)NodeUnderTest.Source.IndexOf($"def {function}(", StringComparison.Ordinal);

    private static byte[] Frame(FrameHeader header, byte[] body)
    {
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.WriteSegmented(output, header, body);
        return output.WrittenSpan.ToArray();
    }

    private void Give(PlayedManager manager, TaskId id, ArrayBufferWriter<byte> output)
    {
        var function = manager.Given[id];
        if (manager.Told.Count == 0)
            FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Owner, Owner = 1, Destination = manager.Number }, JsonSerializer.SerializeToUtf8Bytes(new { name = "ada" }));
        if (_functions.Add(function))
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(new
            {
                id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(function))), kind = "python", name = function, entry = function, source = NodeUnderTest.Source + MoreSource,
            });
            FunctionsSent++;
            FunctionBytes = body.Length;
            FrameWriter.WriteSegmented(output, new FrameHeader { Kind = FrameKind.Function, Function = Number(function) }, body);
        }

        if (manager.Told.Add(function))
            FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Function, Function = Number(function), Ticket = manager.Number }, []);

        output.Write(_frames[id]);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _stream?.Write(bytes);
        }
        catch (Exception problem) when (problem is IOException or ObjectDisposedException)
        {
            // The connection was cut; what was lost is given again after the next inventory.
        }
    }

    // Not while something large is written: that is heard as well.
    private void Beat(SslStream stream)
    {
        if (!_gate.TryEnter())
            return;
        try
        {
            if (_stream == stream)
                Write(Frame(new FrameHeader { Kind = FrameKind.Heartbeat }, []));
        }
        finally
        {
            _gate.Exit();
        }
    }

    private void Leave()
    {
        _stream = null;
        _functions.Clear();
        foreach (var manager in Managers.Values)
            manager.Known = manager.Present = false;
        _joining.Clear();
    }

    private void Serve(TcpClient client, SslStream stream)
    {
        try
        {
            var hello = JsonDocument.Parse(StandInListener.Read(stream, out _).AsMemory(FrameHeader.Size)).RootElement;
            lock (_gate)
            {
                if (hello.GetProperty("secret").GetString() != _listener.Secret || hello.GetProperty("role").GetString() != "leader")
                    Problems.Enqueue($"a hello that is not a leader's: {hello}");
                Leaders.Enqueue(hello);
                Leave();
                (_client, _stream) = (client, stream);
                Connections++;
                Write(Frame(new FrameHeader { Kind = FrameKind.Welcome }, JsonSerializer.SerializeToUtf8Bytes(new { version = "0.1.0", protocol = 1, number = 0, heartbeat_ms = HeartbeatMs, stage = _stage })));
            }

            // As an endpoint does, whatever comes: a leader that has enough to send says no heartbeat of its own that could be answered.
            using var beating = new Timer(_ => Beat(stream), null, HeartbeatMs, HeartbeatMs);
            while (true)
            {
                var begun = Stopwatch.GetTimestamp();
                var frame = StandInListener.Read(stream, out var header);
                var silence = Stopwatch.GetElapsedTime(begun);
                LongestSilence = silence > LongestSilence ? silence : LongestSilence;
                Reads.Wait();
                lock (_gate)
                {
                    if (_stream != stream)
                        return;
                    Take(frame, header);
                }
            }
        }
        catch (Exception problem) when (problem is IOException or ObjectDisposedException or InvalidOperationException or FrameException or KeyNotFoundException)
        {
            lock (_gate)
            {
                if (_stream == stream)
                {
                    if (problem is FrameException or KeyNotFoundException)
                        Problems.Enqueue(problem.ToString());
                    Leave();
                }
            }

            client.Close();
        }
    }

    private void Take(byte[] frame, FrameHeader header)
    {
        var body = frame.AsSpan(FrameHeader.Size);
        if (header.Destination == 0)
        {
            if (header.Kind != FrameKind.Heartbeat)
                Problems.Enqueue($"{header.Kind} of the leader");
            return;
        }

        if (header.Kind == FrameKind.Hello)
        {
            var hello = JsonDocument.Parse(body.ToArray()).RootElement;
            var begun = Managers.GetOrAdd(header.Destination, static number => new PlayedManager(number));
            begun.Begin(hello);
            foreach (var half in _joining.Keys.Where(key => key.Item1 == header.Destination).ToArray())
                _joining.Remove(half);
            Write(Frame(new FrameHeader { Kind = FrameKind.Welcome, Destination = header.Destination }, JsonSerializer.SerializeToUtf8Bytes(new
            {
                version = "0.1.0", protocol = 1, number = header.Destination, heartbeat_ms = HeartbeatMs, workers = _workers, stage = _stage,
            })));
            return;
        }

        if (!Managers.TryGetValue(header.Destination, out var manager) || !manager.Known)
        {
            // A rank that was heard again may fall silent again before it says hello.
            if (manager is not null && header.Kind == FrameKind.Gone)
                return;
            Problems.Enqueue($"{header.Kind} of manager {header.Destination}, which is not there");
            return;
        }

        manager.Frames++;
        switch (header.Kind)
        {
            case FrameKind.Gone:
                manager.Known = manager.Present = false;
                Gone.Enqueue(header.Destination);
                break;
            case FrameKind.Inventory:
                for (var at = 0; at < body.Length; at += InventoryEntry.Size)
                    manager.Held[InventoryEntry.Read(body[at..]).Task] = InventoryEntry.Read(body[at..]).State;
                if ((header.Flags & FrameFlags.Last) != 0)
                {
                    GiveAgain(manager);
                    manager.Present = true;
                }

                break;
            case FrameKind.Result when (header.Flags & FrameFlags.Segmented) != 0:
                _joining[(header.Destination, header.Task, header.Function)] = new MemoryStream();
                _joining[(header.Destination, header.Task, header.Function)].Write(body[8..]);
                break;
            case FrameKind.Segment:
                _joining[(header.Destination, header.Task, header.Function)].Write(body);
                if ((header.Flags & FrameFlags.Last) != 0)
                    Add(header, _joining[(header.Destination, header.Task, header.Function)].ToArray());
                break;
            case FrameKind.Result:
                Add(header, body.ToArray());
                break;
            case FrameKind.Mark:
                Write(Frame(new FrameHeader { Kind = FrameKind.Ack, Destination = header.Destination }, body.ToArray()));
                break;
            case FrameKind.Status:
                manager.Status = JsonDocument.Parse(body.ToArray()).RootElement;
                break;
            case FrameKind.Returned:
                Returned.Enqueue(header.Task);
                break;
        }
    }

    private void GiveAgain(PlayedManager manager)
    {
        var output = new ArrayBufferWriter<byte>();
        foreach (var id in manager.Given.Keys.Where(id => !Results.ContainsKey(id) && !manager.Held.ContainsKey(id)).ToArray())
            Give(manager, id, output);
        Write(output.WrittenSpan);
    }

    private void Add(FrameHeader header, byte[] body)
    {
        var prefix = ResultPrefix.Read(body, body.Length);
        var value = body.AsSpan(ResultPrefix.Size, body.Length - ResultPrefix.Size - prefix.StdoutBytes - prefix.StderrBytes);
        Results.GetOrAdd(header.Task, static _ => new ConcurrentQueue<EndpointStandIn.Answer>())
            .Enqueue(new EndpointStandIn.Answer(header, prefix, Encoding.UTF8.GetString(value), "", "", DateTime.UtcNow));
    }

    internal sealed class PlayedManager(uint number)
    {
        public uint Number => number;

        /// <summary>It said hello.</summary>
        public volatile bool Known;

        /// <summary>It said hello and what it holds.</summary>
        public volatile bool Present;

        public int Frames;

        /// <summary>What it last said of itself.</summary>
        public JsonElement Status { get; set; }

        public string Id { get; private set; } = "";

        public string Node { get; private set; } = "";

        public int Pid { get; private set; }

        public int Hellos { get; private set; }

        /// <summary>What it was given, with the function's name.</summary>
        public ConcurrentDictionary<TaskId, string> Given { get; } = new();

        /// <summary>Functions told since its hello.</summary>
        public HashSet<string> Told { get; } = [];

        /// <summary>Its last inventory.</summary>
        public ConcurrentDictionary<TaskId, HeldState> Held { get; } = new();

        public void Begin(JsonElement hello)
        {
            Id = hello.GetProperty("manager").GetString()!;
            Node = hello.GetProperty("node").GetString()!;
            Pid = hello.GetProperty("pid").GetInt32();
            Hellos++;
            Told.Clear();
            Held.Clear();
            Known = true;
            Present = false;
        }
    }
}
