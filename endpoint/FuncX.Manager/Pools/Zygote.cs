using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Workers;
using FuncX.Wire;

namespace FuncX.Manager.Pools;

/// <summary>The manager's end of a zygote: asks for workers, takes their descriptors, hears of their end. Owned by the engine's turn.</summary>
internal sealed class Zygote : IPollHandler
{
    /// <summary>A turn takes more than its socket holds, and leaves one that never stops writing to the next turn.</summary>
    private const int ReadsPerTurn = 64;

    private readonly Node _node;
    private readonly OwnerPool _pool;
    private readonly int _socket;
    private readonly ulong _key;
    private readonly OutputCapture _stdout;
    private readonly OutputCapture _stderr;
    private readonly Queue<int[]> _descriptors = new();
    private readonly StartWatch _start;
    private int _asked;
    private string _told = "";
    private readonly byte[] _input = new byte[64 * 1024];
    private readonly Queue<WorkerSlot> _early = new();
    private int _length;
    private string? _refusal;
    private bool _closed;
    private bool _deaf;
    private int _exit;

    public Zygote(Node node, OwnerPool pool, int socket, int stdout, int stderr)
    {
        _node = node;
        _pool = pool;
        _socket = socket;
        _key = node.Poller.Add(socket, Libc.EPOLLIN, this);
        _start = new StartWatch(node);
        _stdout = new OutputCapture(node.Poller, stdout, 16 * 1024);
        _stderr = new OutputCapture(node.Poller, stderr, 16 * 1024);
    }

    /// <summary>0 until it is known.</summary>
    public int Pid { get; set; }

    public bool Greeted { get; private set; }

    /// <summary>Asks for a worker; before the greeting the request waits.</summary>
    public void Fork(WorkerSlot slot)
    {
        if (_asked++ == 0)
            _start.Begin();
        if (Greeted)
            Ask(slot);
        else
            _early.Enqueue(slot);
    }

    public void OnReady(uint events)
    {
        Span<int> came = stackalloc int[DescriptorMessage.MaxDescriptors];
        for (var reads = 0; reads < ReadsPerTurn && !_closed; reads++)
        {
            var count = DescriptorMessage.Receive(_socket, _input.AsSpan(_length), came, out var descriptors, Libc.MSG_DONTWAIT);
            if (count < 0 && Marshal.GetLastPInvokeError() == Libc.EAGAIN)
                return;
            if (descriptors > 0)
                _descriptors.Enqueue(came[..descriptors].ToArray());
            if (_descriptors.Count > _asked)
            {
                Fail("it sent descriptors of workers that nobody asked for");
                return;
            }

            if (count <= 0)
            {
                // How it ended the spawner says in a moment; should it only have closed its socket, it ends now.
                if (!_deaf)
                    _node.Poller.Remove(_socket, _key);
                _deaf = true;
                if (Pid > 1)
                    _ = Libc.Kill(-Pid, Libc.SIGKILL);
                return;
            }

            _length += (int)count;
            try
            {
                Parse();
            }
            catch (Exception problem) when (problem is FrameException or InvalidOperationException)
            {
                Fail(problem.Message);
            }
        }
    }

    /// <summary>The spawner said that it ended.</summary>
    public void OnExit(int code)
    {
        OnReady(0);
        _exit = code;
        Fail($"it died {ExitText.Of(code)}");
    }

    /// <summary>The spawner could not start it.</summary>
    public void OnStartFailed(string reason) => Fail($"it could not be started: {reason}");

    /// <summary>Ends it when it hangs; says when to ask again.</summary>
    public long OnTimer(long now)
    {
        if (_start.Hangs(now, () => ($"the zygote of owner {_pool.Name} ({What()})", Words()), out var due))
            Fail($"it had made no worker after {_node.StartLimitMicroseconds / 1_000_000} s and was ended");
        return due;
    }

    /// <summary>Its end of file: it kills its workers and exits.</summary>
    public void Close()
    {
        if (_closed)
            return;
        _closed = true;
        _start.End();
        if (!_deaf)
            _node.Poller.Remove(_socket, _key);
        _ = Libc.Close(_socket);
        _stdout.Close();
        _stderr.Close();
        while (_descriptors.TryDequeue(out var set))
        {
            foreach (var descriptor in set)
                _ = Libc.Close(descriptor);
        }
    }

    private void Fail(string what)
    {
        if (_closed)
            return;
        var words = Words();
        var reason = $"the zygote of owner {_pool.Name} ({What()}) failed: {_refusal ?? what}{(words.Length > 0 ? $": {words}" : "")}";
        if (Pid > 1)
            _ = Libc.Kill(-Pid, Libc.SIGKILL);
        Close();
        _pool.OnZygoteGone(this, reason, _exit);
    }

    private string What() =>
        _node.Settings.Python + (_node.Settings.Preload.Length > 0 ? $", preload {string.Join(", ", _node.Settings.Preload)}" : "");

    // What it said last: on stderr, where failures go, else on stdout.
    private string Words()
    {
        _stderr.Drain();
        _stdout.Drain();
        return _stderr.Tail(2000) is { Length: > 0 } words ? words : _stdout.Tail(2000);
    }

    private void Answered()
    {
        if (--_asked > 0)
            _start.Begin();
        else
            _start.End();
    }

    // Why workers are not forked; each says it, the status needs it once.
    private void Tell(string? note)
    {
        if (string.IsNullOrEmpty(note) || note == _told)
            return;
        _told = note;
        _node.Note($"workers of owner {_pool.Name}: {note}");
    }

    private void Parse()
    {
        var used = 0;
        while (!_closed && FrameReader.TryRead(_input.AsSpan(used, _length - used), out var header, out var length))
        {
            if (length > _input.Length)
                throw new FrameException($"a zygote sent a frame of {length} bytes");
            Take(header, _input.AsSpan(used + FrameHeader.Size, header.BodyLength));
            used += length;
        }

        _input.AsSpan(used, _length - used).CopyTo(_input);
        _length -= used;
        if (_length == _input.Length)
            throw new FrameException("a zygote sent a frame that is too large");
    }

    private void Take(in FrameHeader header, ReadOnlySpan<byte> body)
    {
        switch (header.Kind)
        {
            case FrameKind.Hello when !Greeted:
                OnHello(MessageBody.Read(header.Kind, body, MessageJson.Default.Hello));
                break;
            case FrameKind.Forked when Greeted && _asked > 0:
                var forked = MessageBody.Read(header.Kind, body, MessageJson.Default.Forked);
                var slot = (int)header.Ticket;
                if (!_pool.IsStarting(slot))
                    throw new FrameException($"a zygote sent a worker for place {slot}, which nobody asked for");
                var descriptors = WorkerDescriptors.Take(forked.Pid, _descriptors.TryDequeue(out var set) ? set : []);
                Answered();
                Tell(forked.Note);
                _pool.OnForked(descriptors, slot);
                break;
            case FrameKind.Exited:
                var exited = MessageBody.Read(header.Kind, body, MessageJson.Default.Exited);
                _pool.OnExited(exited.Pid, exited.Code);
                break;
            case FrameKind.Refused when !Greeted:
                _refusal = MessageBody.Read(header.Kind, body, MessageJson.Default.Refusal).Reason;
                break;
            case FrameKind.Refused when _asked > 0:
                var refusal = MessageBody.Read(header.Kind, body, MessageJson.Default.Refusal);
                Answered();
                _pool.OnForkRefused(refusal.Reason, (int)header.Ticket);
                break;
            case FrameKind.Status:
                _node.Note($"owner {_pool.Name}: {MessageBody.Read(header.Kind, body, MessageJson.Default.ZygoteStatus).Note}");
                break;
            default:
                throw new FrameException($"a zygote sent a frame of kind {header.Kind}, which was not due");
        }
    }

    private void OnHello(Hello hello)
    {
        if (!ProtocolVersion.TryAgree(hello.ProtocolMinimum, hello.ProtocolMaximum, out var protocol))
        {
            var reason = ProtocolVersion.Mismatch(hello.Version, hello.ProtocolMinimum, hello.ProtocolMaximum);
            _ = Send(FrameKind.Refused, new Refusal(reason), MessageJson.Default.Refusal, 0);
            Fail(reason);
            return;
        }

        Greeted = true;
        _ = Send(FrameKind.Welcome, _node.ChildWelcome(protocol), MessageJson.Default.ChildWelcome, 0);
        while (_early.TryDequeue(out var slot))
            Ask(slot);
    }

    private void Ask(WorkerSlot slot)
    {
        var fork = new Fork(slot.Number, slot.Cpus, new Dictionary<string, string>(slot.Variables, StringComparer.Ordinal));
        if (!_closed && !Send(FrameKind.Fork, fork, MessageJson.Default.Fork, (uint)slot.Number))
            Fail("it does not read its socket");
    }

    private bool Send<T>(FrameKind kind, T message, JsonTypeInfo<T> type, uint ticket)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(message, type);
        var frame = new byte[FrameHeader.Size + body.Length];
        new FrameHeader { Kind = kind, BodyLength = body.Length, Ticket = ticket }.Write(frame);
        body.CopyTo(frame, FrameHeader.Size);
        return DescriptorMessage.Send(_socket, frame, default, Libc.MSG_DONTWAIT) == frame.Length;
    }
}
