using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using FuncX.Wire;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// Every result that is here and not yet durable elsewhere, in messages as they travel. Results join the open message; it is sealed when the link takes it or it is
/// full, so that messages grow while the link is busy. Managers are told to forget once the service has committed, or the spool has written, everything up to their mark.
/// On the loop only. Measured by: bench engine.
/// </summary>
internal sealed class ResultLedger(HopCounter hops, ResultRoom room, Action<ManagerPeer, ulong> onDurable)
{
    /// <summary>Most bytes of frames in one message.</summary>
    public const int LargestMessage = 512 * 1024;

    // With so many messages on their way to a commit, further results gather until they are worth one or a commit comes: the service commits in groups anyway, and
    // a result that comes alone finds none on the way.
    private const int UncommittedMessages = 4;
    private const int WorthSending = 64 << 10;

    private readonly Queue<HeldMessage> _held = new();
    private readonly Queue<HeldMessage> _waiting = new();
    private readonly Queue<HeldMessage> _waitingLarge = new();
    private HeldMessage? _open;
    private HeldMessage? _last;
    private LinkSession? _session;
    private int _counted;
    private int _sent;
    private int _sentLarge;

    /// <summary>Results that are not durable yet.</summary>
    public long Results { get; private set; }

    public bool IsEmpty => _held.Count == 0 && _open is null;

    /// <summary>Results that are neither at the service nor in the spool. For the stop: it looks at every message.</summary>
    public (long Results, long Bytes) Undurable()
    {
        var (results, bytes) = _open is null ? (0L, 0L) : (_open.Results, _open.Bytes);
        foreach (var message in _held)
        {
            if (message.State == MessageState.Done || message.Committed is not null)
                continue;
            results += message.Results;
            bytes += message.Bytes;
        }

        return (results, bytes);
    }

    /// <summary>A result is in the frames that <see cref="Add"/> brings next.</summary>
    public void CountResult() => _counted++;

    /// <summary>Takes whole frames into the open message; takes its own reference to the buffer.</summary>
    public void Add(in FrameSlice frames)
    {
        if (_open is not null && _open.Bytes + frames.Length > LargestMessage)
            Seal();
        _open ??= HeldMessage.New();
        if (_open.Frames.Count > 0 && _open.Frames[^1] is var last && last.IsFollowedBy(frames))
        {
            _open.Frames[^1] = new FrameSlice(last.Buffer, last.Offset, last.Length + frames.Length);
        }
        else
        {
            frames.Buffer.Retain();
            _open.Frames.Add(frames);
        }

        _open.Bytes += frames.Length;
        _open.Results += _counted;
        Results += _counted;
        _counted = 0;
        room.Add(frames.Length);
    }

    /// <summary>Takes the frames of one result that is too large for a message; takes its own references.</summary>
    public void AddWhole(List<FrameSlice> frames)
    {
        if (_open is not null)
            Seal();
        var message = HeldMessage.New();
        foreach (var slice in frames)
        {
            slice.Buffer.Retain();
            message.Frames.Add(slice);
            message.Bytes += slice.Length;
        }

        message.Results = _counted;
        Results += _counted;
        _counted = 0;
        Count(message, message.Bytes);
        Hold(message);
    }

    /// <summary>All results of the manager so far belong to this mark.</summary>
    public void Mark(ManagerPeer peer, ulong mark)
    {
        var message = _open ?? (_held.Count > 0 ? _last : null);
        if (message is null)
            onDurable(peer, mark);
        else
            message.Marks.Add((peer, mark));
    }

    /// <summary>Puts back into circulation what the spool held; <paramref name="committed"/> runs once the service has it, or never when the link breaks first.</summary>
    public void Replay(IReadOnlyList<FrameSlice> frames, int results, Action committed)
    {
        var message = HeldMessage.New();
        message.Bytes = frames.Sum(static slice => slice.Length);
        message.Results = results;
        message.Committed = committed;
        message.Frames.AddRange(frames);
        Results += results;
        Count(message, message.Bytes);
        Hold(message);
    }

    /// <summary>Sends what the link takes. Once per turn. Large ones wait for each other and small ones for none of them.</summary>
    public void Flush()
    {
        if (_session is null)
            return;
        // Asked again behind the one that is sent: so the link tells when it is gone.
        while (_waitingLarge.Count > 0 && _session.HasRoomForLarge)
            Send(_waitingLarge.Dequeue());
        while (_waiting.Count > 0 || _open is not null)
        {
            if (!_session.HasRoom)
                return;
            // Behind the beginning of a large one nothing is acknowledged before its end.
            if (_waiting.Count == 0 && _sent >= UncommittedMessages && _sentLarge == 0 && _open!.Bytes < WorthSending)
                return;
            if (_waiting.Count == 0)
                Seal();
            Send(_waiting.Dequeue());
        }
    }

    /// <summary>A new link: everything that is not durable is sent on it again.</summary>
    public void OnLinkUp(LinkSession session)
    {
        _session = session;
        _sent = _sentLarge = 0;
        ClearWaiting();
        foreach (var message in _held)
        {
            if (message.State == MessageState.Sent)
                message.State = MessageState.Waiting;
            if (message.State == MessageState.Waiting)
                Wait(message);
        }
    }

    /// <summary>The link is gone. What came from the spool is still there and is dropped here.</summary>
    public void OnLinkDown()
    {
        _session = null;
        foreach (var message in _held)
        {
            if (message.Committed is not null)
                message.State = MessageState.Done;
        }

        ClearWaiting();
        Settle();
    }

    /// <summary>The service has committed every message of the present link up to this one.</summary>
    public void OnCommitted(ulong sequence)
    {
        foreach (var message in _held)
        {
            // Small ones are sent in the order of their coming, past large ones that wait.
            if (message.State == MessageState.Waiting && !message.IsLarge)
                break;
            if (message.State != MessageState.Sent || message.Sequence > sequence)
                continue;
            _sent--;
            _sentLarge -= message.IsLarge ? 1 : 0;
            message.State = MessageState.Done;
            hops.ResultsCommitted += message.Results;
            message.Committed?.Invoke();
        }

        Settle();
    }

    /// <summary>Hands over everything that is neither durable nor on its way to the spool; each message with a reference for the spool.</summary>
    public List<HeldMessage> TakeForSpool()
    {
        if (_open is not null)
            Seal();
        ClearWaiting();
        var taken = new List<HeldMessage>();
        foreach (var message in _held)
        {
            if (message.State is not (MessageState.Waiting or MessageState.Sent) || message.Committed is not null)
                continue;
            message.State = MessageState.Spooling;
            message.Retain();
            taken.Add(message);
        }

        return taken;
    }

    /// <summary>The spool has made the first so many of the messages durable.</summary>
    public void OnSpooled(List<HeldMessage> messages, int written)
    {
        for (var i = 0; i < messages.Count; i++)
        {
            var message = messages[i];
            message.State = i < written ? MessageState.Done : MessageState.Waiting;
            if (i >= written && _session is not null)
                Wait(message);
            message.Release();
        }

        Settle();
    }

    /// <summary>The tasks whose results are held, for the inventory.</summary>
    public void Describe(List<InventoryEntry> entries)
    {
        foreach (var message in _held)
        {
            if (message.State != MessageState.Done)
                Describe(message, entries);
        }

        if (_open is not null)
            Describe(_open, entries);
    }

    /// <summary>The tasks whose results begin in these frames.</summary>
    public static void Describe(ReadOnlySpan<byte> frames, List<InventoryEntry> entries)
    {
        while (FrameReader.TryRead(frames, out var header, out var length))
        {
            if (header.Kind == FrameKind.Result)
                entries.Add(new InventoryEntry(header.Task, header.Attempt, Wire.HeldState.Finished));
            frames = frames[length..];
        }
    }

    private static void Describe(HeldMessage message, List<InventoryEntry> entries)
    {
        foreach (var frames in message.Frames)
            Describe(frames.Span, entries);
    }

    private void Count(HeldMessage message, long bytes)
    {
        if (message.IsLarge)
            room.AddLarge(bytes);
        else
            room.Add(bytes);
    }

    private void Seal()
    {
        var message = _open!;
        _open = null;
        Hold(message);
    }

    private void Hold(HeldMessage message)
    {
        message.State = MessageState.Waiting;
        _held.Enqueue(message);
        Wait(message);
        _last = message;
    }

    private void Wait(HeldMessage message) => (message.IsLarge ? _waitingLarge : _waiting).Enqueue(message);

    private void ClearWaiting()
    {
        _waiting.Clear();
        _waitingLarge.Clear();
    }

    private void Send(HeldMessage message)
    {
        _sent++;
        _sentLarge += message.IsLarge ? 1 : 0;
        message.SendOn(_session!);
        message.Retain();
        _session!.Send(message);
    }

    // Marks say "everything up to here", so they are told in order, whichever way each message became durable.
    private void Settle()
    {
        while (_held.TryPeek(out var message) && message.State == MessageState.Done)
        {
            _held.Dequeue();
            foreach (var (peer, mark) in message.Marks)
                onDurable(peer, mark);
            Count(message, -message.Bytes);
            Results -= message.Results;
            message.Release();
        }
    }
}
