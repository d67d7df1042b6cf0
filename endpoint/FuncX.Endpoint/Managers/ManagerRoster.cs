using System.Buffers.Binary;
using System.Text.Json;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.ServiceLink;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>
/// The loop's side of the managers: who is connected, what their frames mean, what they are told. On the loop only. A batch of results costs one look at each header;
/// the bytes stay where they came in. Measured by: bench engine.
/// </summary>
internal sealed class ManagerRoster(Dispatcher dispatcher, ResultLedger ledger, HopCounter hops)
{
    /// <summary>The most that one result may have: value, both outputs, prefix.</summary>
    public const long LargestResult = WorkersWelcome.LargestResult + ResultPrefix.LargestOutputs + ResultPrefix.Size;

    // The service's bound for what a first frame may announce.
    private const long MostAnnounced = 1L << 40;

    private readonly List<ManagerPeer?> _peers = [];
    private readonly List<ManagerPeer> _dirty = [];

    public IEnumerable<ManagerPeer> All => _peers.OfType<ManagerPeer>();

    public ManagerPeer? Find(int manager) => manager >= 0 && manager < _peers.Count ? _peers[manager] : null;

    /// <summary>A manager has proven that it is of the block that it names.</summary>
    /// <returns>Why it is refused all the same; null when it is connected.</returns>
    public string? OnConnected(ManagerConnection connection, ManagerHello hello, ManagerWelcome welcome)
    {
        // Under another's name it would get that one's place, and with it the tasks.
        if (dispatcher.Core.BlockOf(hello.Manager) is { } block && block != hello.Block)
            return $"manager '{hello.Manager}' is of block '{block}', and the secret is that of block '{hello.Block}'; it is worth nothing outside its block";
        var number = dispatcher.Core.OnManagerConnected(hello.Manager, hello.Block, dispatcher.Now);
        while (_peers.Count <= number)
            _peers.Add(null);
        if (_peers[number] is null)
            dispatcher.OnManagerJoined(hello.Block);
        var peer = _peers[number] ??= new ManagerPeer(number, hello);
        // One process has one connection: an older one is a leftover that nobody has noticed to be dead.
        peer.Connection?.Close("the manager has connected again");
        peer.Attach(connection);
        var body = JsonSerializer.SerializeToUtf8Bytes(welcome with { Number = number + 1 });
        Control(peer, new FrameHeader { Kind = FrameKind.Welcome, ContentType = ContentType.Json }, body);
        if (peer.DurableMark > 0)
            Acknowledge(peer, peer.DurableMark);
        return null;
    }

    public void OnDisconnected(ManagerConnection connection)
    {
        if (connection.Peer is not { } peer || !ReferenceEquals(peer.Connection, connection))
            return;
        peer.Connection = null;
        peer.DropPartial();
        dispatcher.Core.OnManagerDisconnected(peer.Number, dispatcher.Now, dispatcher);
    }

    public void OnHeard(ManagerConnection connection)
    {
        if (connection.Peer is { } peer && ReferenceEquals(peer.Connection, connection))
            dispatcher.Core.OnHeard(peer.Number, dispatcher.Now);
    }

    public void OnRoom(ManagerConnection connection)
    {
        if (connection.Peer is { } peer && ReferenceEquals(peer.Connection, connection))
            dispatcher.Core.OnManagerBlocked(peer.Number, blocked: false);
    }

    /// <summary>The core has given up on the manager.</summary>
    public void Forget(int manager)
    {
        if (Find(manager) is not { } peer)
            return;
        peer.Connection?.Close("its tasks count as lost");
        peer.DropPartial();
        _peers[manager] = null;
        dispatcher.OnManagerGone(peer.Hello.Block);
    }

    /// <summary>Adds a control frame for the manager; it leaves at the end of the turn.</summary>
    public void Control(ManagerPeer peer, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (peer.Connection is { } connection)
            connection.Outbox.AddControl(Encode(header, body));
        MarkDirty(peer);
    }

    /// <summary>Adds a small frame that must not overtake the tasks before it.</summary>
    public void Behind(ManagerPeer peer, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (peer.Connection is { } connection)
            connection.Outbox.AddSmall(Encode(header, body));
        MarkDirty(peer);
    }

    public void MarkDirty(ManagerPeer peer)
    {
        if (peer.Dirty)
            return;
        peer.Dirty = true;
        _dirty.Add(peer);
    }

    /// <summary>Everything up to the manager's mark is durable: it is told at the end of the turn.</summary>
    public void OnDurable(ManagerPeer peer, ulong mark)
    {
        peer.DurableMark = Math.Max(peer.DurableMark, mark);
        MarkDirty(peer);
    }

    /// <summary>Hands this turn's frames to the senders.</summary>
    public void Flush()
    {
        foreach (var peer in _dirty)
        {
            if (peer.Connection is not null && peer.DurableMark > peer.AcknowledgedMark)
                Acknowledge(peer, peer.DurableMark);
            peer.Dirty = false;
            if (peer.Connection is not { } connection)
                continue;
            if (!connection.Outbox.Flush())
                dispatcher.Core.OnManagerBlocked(peer.Number, blocked: true);
        }

        _dirty.Clear();
    }

    /// <summary>Says something to every manager that was told nothing since the last call.</summary>
    public void Heartbeat()
    {
        foreach (var peer in _peers)
        {
            if (peer?.Connection is not { } connection)
                continue;
            if (!connection.Outbox.Used)
                Control(peer, new FrameHeader { Kind = FrameKind.Heartbeat }, []);
            connection.Outbox.Used = false;
        }
    }

    /// <summary>Which runtimes the managers have, for people: those that have the same together.</summary>
    public string DescribeRuntimes()
    {
        const int MostNamed = 5;
        var groups = All.Where(static peer => peer.InventoryDone).GroupBy(static peer => peer.Report.Runtimes switch
        {
            null => "has not said yet",
            { Count: 0 } => "has no runtime at all",
            var runtimes => "has " + string.Join(" and ", runtimes.OrderBy(static runtime => runtime.Key, StringComparer.Ordinal).Select(static runtime => $"{runtime.Key} {runtime.Value}")),
        });
        return string.Join("; ", groups.Select(static group =>
        {
            var named = group.Take(MostNamed).Select(static peer => $"{peer.Hello.Node} (manager {peer.Hello.Manager})").ToList();
            var more = group.Count() - named.Count;
            return $"{string.Join(", ", named)}{(more > 0 ? $" and {more} more" : "")} {group.Key}";
        }));
    }

    /// <summary>Handles frames that came from a manager, in their order.</summary>
    public void OnFrames(ManagerConnection connection, in FrameSlice frames)
    {
        if (connection.Peer is not { } peer || !ReferenceEquals(peer.Connection, connection))
            return;
        dispatcher.Core.OnHeard(peer.Number, dispatcher.Now);
        try
        {
            HandleFrames(peer, frames);
        }
        catch (FrameException problem)
        {
            connection.Close(problem.Message);
            OnDisconnected(connection);
        }
    }

    internal static FrameSlice Encode(in FrameHeader header, ReadOnlySpan<byte> body)
    {
        var bytes = new byte[FrameHeader.Size + body.Length];
        var copy = header;
        copy.BodyLength = body.Length;
        copy.Write(bytes);
        body.CopyTo(bytes.AsSpan(FrameHeader.Size));
        return new FrameSlice(PooledBuffer.Wrap(bytes), 0, bytes.Length);
    }

    private void HandleFrames(ManagerPeer peer, in FrameSlice frames)
    {
        var bytes = frames.Buffer.Array;
        var end = frames.Offset + frames.Length;
        var run = frames.Offset;
        for (var at = frames.Offset; at < end;)
        {
            var header = FrameHeader.Read(bytes.AsSpan(at));
            var next = at + header.FrameLength;
            if (header.Kind == FrameKind.Result && (header.Flags & FrameFlags.Segmented) == 0)
            {
                if (!OnResult(peer, header, bytes.AsSpan(at, header.FrameLength), header.BodyLength))
                {
                    Keep(frames.Buffer, run, at);
                    run = next;
                }
            }
            else
            {
                // What stands between two results ends the run that goes up in one piece.
                Keep(frames.Buffer, run, at);
                OnOther(peer, header, new FrameSlice(frames.Buffer, at, header.FrameLength));
                run = next;
            }

            at = next;
        }

        Keep(frames.Buffer, run, end);
    }

    private void Keep(PooledBuffer buffer, int start, int end)
    {
        if (end > start)
            ledger.Add(new FrameSlice(buffer, start, end - start));
    }

    // False: the result is not for the service.
    private bool OnResult(ManagerPeer peer, in FrameHeader header, Span<byte> frame, long bodyBytes)
    {
        if (!peer.InventoryDone)
            throw new FrameException("a result came before the end of the inventory");
        var body = frame[FrameHeader.Size..];
        if ((header.Flags & FrameFlags.Segmented) != 0)
            body = body[sizeof(long)..];
        var prefix = ResultPrefix.Read(body, bodyBytes);
        // What a stop interrupts runs again after the next start, and costs the user none of the losses that a task may have.
        if (prefix.Outcome == TaskOutcome.AttemptLost && dispatcher.Core.Stopping)
            return false;
        // A time of 0 is unknown. A clock that was set back in between is not a measurement.
        var duration = prefix.WorkerStarted > 0 && prefix.WorkerEnded >= prefix.WorkerStarted ? prefix.WorkerEnded - prefix.WorkerStarted : -1;
        if (dispatcher.Core.OnResult(peer.Number, header.Ticket, header.Task, header.Attempt, duration, dispatcher.Now, dispatcher, out var receipt))
        {
            BinaryPrimitives.WriteInt64LittleEndian(body[ResultPrefix.EndpointReceivedOffset..], receipt.Received);
            BinaryPrimitives.WriteInt64LittleEndian(body[ResultPrefix.EndpointSentOffset..], receipt.Sent);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(frame[FrameHeader.TicketOffset..], receipt.ServiceTicket);
        BinaryPrimitives.WriteInt64LittleEndian(body[ResultPrefix.EndpointBackOffset..], dispatcher.Now);
        hops.ResultsReceived++;
        hops.Ended(prefix.Outcome);
        hops.ResultBytesReceived += FrameHeader.Size + bodyBytes;
        ledger.CountResult();
        return true;
    }

    private void OnOther(ManagerPeer peer, in FrameHeader header, in FrameSlice frame)
    {
        var body = frame.Span[FrameHeader.Size..];
        switch (header.Kind)
        {
            case FrameKind.Heartbeat:
                break;
            case FrameKind.Mark:
                ledger.Mark(peer, ReadSequence(body));
                break;
            case FrameKind.Returned:
                dispatcher.Core.OnReturned(peer.Number, header.Ticket, header.Task, header.Attempt, dispatcher);
                break;
            case FrameKind.Result:
                BeginLarge(peer, header, frame);
                break;
            case FrameKind.Segment:
                ContinueLarge(peer, header, frame);
                break;
            case FrameKind.Inventory:
                OnInventory(peer, header, body);
                break;
            case FrameKind.Status:
                peer.Report = ManagerReport.Read(body);
                if (peer.Report.Runtimes is { } runtimes)
                    dispatcher.Core.OnRuntimes(peer.Number, dispatcher.Core.Requirements.NumberOf(runtimes));
                break;
            default:
                throw new FrameException($"a manager does not send {header.Kind} frames");
        }
    }

    private static ulong ReadSequence(ReadOnlySpan<byte> body) => body.Length == sizeof(ulong)
        ? BinaryPrimitives.ReadUInt64LittleEndian(body)
        : throw new FrameException($"a mark has {body.Length} bytes; it should have 8");

    private void OnInventory(ManagerPeer peer, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (body.Length % InventoryEntry.Size != 0 || peer.InventoryDone)
            throw new FrameException($"an inventory frame of {body.Length} bytes is not entries of {InventoryEntry.Size}, or came after the last one");
        for (; body.Length > 0; body = body[InventoryEntry.Size..])
            peer.Inventory.Add(InventoryEntry.Read(body));
        if ((header.Flags & FrameFlags.Last) == 0)
            return;
        peer.InventoryDone = true;
        dispatcher.Core.OnInventory(peer.Number, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(peer.Inventory), dispatcher.Now, dispatcher);
        peer.Inventory.Clear();
        peer.Inventory.TrimExcess();
        dispatcher.OnManagerReady(peer.Hello.Block);
    }

    private void BeginLarge(ManagerPeer peer, in FrameHeader header, in FrameSlice frame)
    {
        if (header.BodyLength != FrameHeader.MaxBody)
            throw new FrameException($"the first frame of a segmented result has a body of {header.BodyLength} bytes; it should have {FrameHeader.MaxBody}");
        var whole = BinaryPrimitives.ReadInt64LittleEndian(frame.Span[FrameHeader.Size..]);
        if (whole < FrameHeader.MaxBody || whole > MostAnnounced)
            throw new FrameException($"a segmented result of {whole} bytes is outside {FrameHeader.MaxBody} to {MostAnnounced}");
        if (peer.Partial.Remove(header.Task, out var older))
            older.Release();
        // A closed connection would bring the same result again, for ever: one that is too large is taken to its end, and answered as that.
        var partial = new PartialResult(whole, kept: whole <= LargestResult);
        partial.Add(frame, header.BodyLength - sizeof(long));
        peer.Partial.Add(header.Task, partial);
    }

    private void ContinueLarge(ManagerPeer peer, in FrameHeader header, in FrameSlice frame)
    {
        if (!peer.Partial.TryGetValue(header.Task, out var partial))
            throw new FrameException($"a segment of task {header.Task} came without its first frame");
        partial.Add(frame, header.BodyLength);
        var last = (header.Flags & FrameFlags.Last) != 0;
        if (partial.Bytes > partial.WholeBytes || last != (partial.Bytes == partial.WholeBytes))
            throw new FrameException($"the segments of task {header.Task} have {partial.Bytes} bytes, not the {partial.WholeBytes} announced");
        if (!last)
            return;
        peer.Partial.Remove(header.Task);
        if (!partial.Kept)
        {
            TooLarge(peer, partial);
            return;
        }

        var first = partial.Frames[0];
        var span = first.Buffer.Array.AsSpan(first.Offset, first.Length);
        if (OnResult(peer, FrameHeader.Read(span), span, partial.WholeBytes))
        {
            var ticket = span.Slice(FrameHeader.TicketOffset, sizeof(uint));
            foreach (var piece in partial.Frames)
                ticket.CopyTo(piece.Buffer.Array.AsSpan(piece.Offset + FrameHeader.TicketOffset));
            ledger.AddWhole(partial.Frames);
        }

        partial.Release();
    }

    private void TooLarge(ManagerPeer peer, PartialResult partial)
    {
        var first = partial.Frames[0].Span;
        var header = FrameHeader.Read(first);
        header.Flags = FrameFlags.None;
        header.ContentType = ContentType.Json;
        var prefix = ResultPrefix.Read(first[(FrameHeader.Size + sizeof(long))..], partial.WholeBytes);
        prefix.Outcome = TaskOutcome.TooLarge;
        prefix.ContentType = ContentType.Json;
        prefix.StdoutBytes = prefix.StderrBytes = 0;
        var failure = JsonSerializer.SerializeToUtf8Bytes(new FailureBody(
            "TooLarge", $"the result has {partial.WholeBytes} bytes with its output; an endpoint takes up to {LargestResult}"));
        var body = new byte[ResultPrefix.Size + failure.Length];
        prefix.Write(body);
        failure.CopyTo(body, ResultPrefix.Size);
        var frame = Encode(header, body);
        OnResult(peer, FrameHeader.Read(frame.Span), frame.Buffer.Array.AsSpan(frame.Offset, frame.Length), body.Length);
        ledger.Add(frame);
        partial.Release();
    }

    private void Acknowledge(ManagerPeer peer, ulong mark)
    {
        Span<byte> body = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(body, mark);
        peer.AcknowledgedMark = mark;
        Control(peer, new FrameHeader { Kind = FrameKind.Ack }, body);
    }
}
