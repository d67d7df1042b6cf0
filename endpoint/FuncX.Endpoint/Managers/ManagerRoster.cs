using System.Buffers.Binary;
using System.Text.Encodings.Web;
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

    // A year: whoever says more knows no end.
    private const long MostMilliseconds = 31_536_000_000;

    // The service's bound for what a first frame may announce.
    private const long MostAnnounced = 1L << 40;

    // Read by people, not put into a page: quotes stay quotes.
    private static readonly JsonSerializerOptions s_readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<ManagerPeer?> _peers = [];
    private readonly List<ManagerPeer> _dirty = [];
    private readonly List<ManagerConnection> _dirtyConnections = [];
    private readonly HashSet<ManagerConnection> _connections = [];
    private readonly Dictionary<string, long> _blockEnds = new(StringComparer.Ordinal);

    public IEnumerable<ManagerPeer> All => _peers.OfType<ManagerPeer>();

    public IReadOnlyCollection<ManagerConnection> Connections => _connections;

    public ManagerPeer? Find(int manager) => manager >= 0 && manager < _peers.Count ? _peers[manager] : null;

    /// <summary>Whoever dialled has proven to be of the block that it names.</summary>
    /// <returns>Why it is refused all the same; null when it is connected.</returns>
    public string? OnConnected(ManagerConnection connection, ManagerHello hello, ManagerWelcome welcome)
    {
        connection.Hello = hello;
        connection.Welcome = welcome with { Block = null };
        if (hello.IsManager)
        {
            if (Join(connection, hello, destination: 0) is { } reason)
                return reason;
            _connections.Add(connection);
            return null;
        }

        if (HasEnded(hello.Block) is { } ended)
            return ended;
        if (_connections.FirstOrDefault(other => other.Hello!.Role == hello.Role && other.Hello.Manager == hello.Manager) is { } older)
        {
            if (older.Hello!.Block != hello.Block)
                return $"{hello.Role} '{hello.Manager}' is of block '{older.Hello.Block}', and the secret is that of block '{hello.Block}'; it is worth nothing outside its block";
            older.Close($"the {hello.Role} has connected again");
            OnDisconnected(older);
        }

        _connections.Add(connection);
        var body = JsonSerializer.SerializeToUtf8Bytes(welcome with { Workers = null, Block = hello.IsAgent ? welcome.Block : null, Stage = hello.IsAgent ? null : welcome.Stage });
        Send(connection, new FrameHeader { Kind = FrameKind.Welcome, ContentType = ContentType.Json }, body);
        TellEnd(connection, destination: 0);
        return null;
    }

    /// <summary>The scheduler has said when the job of a block ends: whoever dialled in from it is told, and so is whoever does later. They know whether it is news.</summary>
    /// <param name="endsAt">Unix microseconds.</param>
    public void OnBlockEnds(string block, long endsAt)
    {
        _blockEnds[block] = endsAt;
        foreach (var connection in _connections.Where(connection => connection.Hello!.Block == block))
        {
            if (!connection.Hello!.IsManager)
                TellEnd(connection, destination: 0);
            foreach (var peer in connection.Members.All)
                TellEnd(connection, peer.Destination);
        }
    }

    /// <summary>
    /// The provider has said that a block is over. Mostly nothing of it is there any more; what is, a job that its scheduler has forgotten for example, is none of the endpoint's and is to end.
    /// </summary>
    public void OnBlockEnded(string block)
    {
        _blockEnds.Remove(block);
        foreach (var connection in _connections.Where(connection => connection.Hello!.Block == block))
            Send(connection, new FrameHeader { Kind = FrameKind.Drain }, []);
    }

    public void OnDisconnected(ManagerConnection connection)
    {
        _connections.Remove(connection);
        foreach (var peer in connection.Members.All)
            OnGone(peer);
    }

    /// <summary>A part of a large frame came.</summary>
    public void OnHeard(ManagerConnection connection)
    {
        connection.Heard = true;
        if (connection.Members.Find(0) is { } peer)
            dispatcher.Core.OnHeard(peer.Number, dispatcher.Now);
    }

    /// <summary>
    /// A leader watches its managers and says which are gone: whatever comes from it speaks for the others, which may have nothing to say, or wait behind what others say. Once a second.
    /// </summary>
    public void HearLeaders()
    {
        foreach (var connection in _connections)
        {
            if (connection.Heard && connection.Hello is { IsLeader: true })
            {
                foreach (var peer in connection.Members.All)
                    dispatcher.Core.OnHeard(peer.Number, dispatcher.Now);
            }

            connection.Heard = false;
        }
    }

    public void OnRoom(ManagerConnection connection)
    {
        foreach (var peer in connection.Members.All)
            dispatcher.Core.OnManagerBlocked(peer.Number, blocked: false);
    }

    /// <summary>What the endpoint knew of a manager on its connection is over; it says hello again, as long as it lives.</summary>
    public void Close(ManagerPeer peer, string reason)
    {
        if (peer.Connection is not { } connection)
            return;
        if (connection.Hello is { IsManager: true })
            End(connection, reason);
        else
            Control(peer, new FrameHeader { Kind = FrameKind.Refused, ContentType = ContentType.Json }, Refusal(reason));
        peer.Detach();
    }

    internal static byte[] Refusal(string reason) => JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal) { ["reason"] = reason }, s_readable);

    // What still comes on it is not heard.
    private void End(ManagerConnection connection, string reason)
    {
        _connections.Remove(connection);
        connection.Close(reason);
    }

    private void OnGone(ManagerPeer peer)
    {
        peer.Detach();
        dispatcher.Core.OnManagerDisconnected(peer.Number, dispatcher.Now, dispatcher);
    }

    // Also since the secret was looked at.
    private string? HasEnded(string block) => dispatcher.Core.HasBlock(block) ? null : $"block '{block}' has ended";

    private string? Join(ManagerConnection connection, ManagerHello hello, uint destination)
    {
        if (HasEnded(hello.Block) is { } ended)
            return ended;
        // Under another's name it would get that one's place, and with it the tasks.
        if (dispatcher.Core.BlockOf(hello.Manager) is { } block && block != hello.Block)
            return $"manager '{hello.Manager}' is of block '{block}', and the secret is that of block '{hello.Block}'; it is worth nothing outside its block";
        var number = dispatcher.Core.OnManagerConnected(hello.Manager, hello.Block, dispatcher.Now, hello.EndsInMs is > 0 and <= MostMilliseconds ? dispatcher.Now + (hello.EndsInMs * 1000) : long.MaxValue);
        while (_peers.Count <= number)
            _peers.Add(null);
        if (_peers[number] is null)
            dispatcher.OnManagerJoined(hello.Block);
        var peer = _peers[number] ??= new ManagerPeer(number, hello);
        // One process has one connection: an older one is a leftover that nobody has noticed to be dead.
        if (peer.Connection is { Hello.IsManager: true } leftover)
            End(leftover, "the manager has connected again");
        peer.Detach();
        if (connection.Members.Find(destination) is { } before)
            OnGone(before);
        peer.Attach(connection, destination);
        var body = JsonSerializer.SerializeToUtf8Bytes(connection.Welcome! with { Number = number + 1 });
        Control(peer, new FrameHeader { Kind = FrameKind.Welcome, ContentType = ContentType.Json }, body);
        TellEnd(connection, destination);
        if (peer.DurableMark > 0)
            Acknowledge(peer, peer.DurableMark);
        return null;
    }

    private void TellEnd(ManagerConnection connection, uint destination)
    {
        if (_blockEnds.TryGetValue(connection.Hello!.Block, out var endsAt))
            Send(connection, new FrameHeader { Kind = FrameKind.Ends, Destination = destination, DeadlineMicroseconds = endsAt }, []);
    }

    /// <summary>The core has given up on the manager.</summary>
    public void Forget(int manager)
    {
        if (Find(manager) is not { } peer)
            return;
        Close(peer, "its tasks count as lost");
        _peers[manager] = null;
        dispatcher.OnManagerGone(peer.Hello.Block);
    }

    /// <summary>Adds a control frame for the manager; it leaves at the end of the turn.</summary>
    public void Control(ManagerPeer peer, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (peer.Connection is { } connection)
            Send(connection, header with { Destination = peer.Destination }, body);
    }

    /// <summary>Adds a small frame that must not overtake the tasks before it.</summary>
    public void Behind(ManagerPeer peer, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (peer.Connection is not { } connection)
            return;
        connection.Outbox.AddSmall(Encode(header with { Destination = peer.Destination }, body));
        MarkDirty(connection);
    }

    /// <summary>Something was added for the connection: it leaves at the end of the turn.</summary>
    public void MarkDirty(ManagerConnection connection)
    {
        if (connection.Dirty)
            return;
        connection.Dirty = true;
        _dirtyConnections.Add(connection);
    }

    /// <summary>Everything up to the manager's mark is durable: it is told at the end of the turn.</summary>
    public void OnDurable(ManagerPeer peer, ulong mark)
    {
        peer.DurableMark = Math.Max(peer.DurableMark, mark);
        if (peer.Dirty)
            return;
        peer.Dirty = true;
        _dirty.Add(peer);
    }

    /// <summary>Hands this turn's frames to the senders.</summary>
    public void Flush()
    {
        foreach (var peer in _dirty)
        {
            if (peer.Connection is not null && peer.DurableMark > peer.AcknowledgedMark)
                Acknowledge(peer, peer.DurableMark);
            peer.Dirty = false;
        }

        _dirty.Clear();
        foreach (var connection in _dirtyConnections)
        {
            connection.Dirty = false;
            if (connection.Outbox.Flush())
                continue;
            foreach (var peer in connection.Members.All)
                dispatcher.Core.OnManagerBlocked(peer.Number, blocked: true);
        }

        _dirtyConnections.Clear();
    }

    /// <summary>Says something on every connection on which nothing was said since the last call.</summary>
    public void Heartbeat()
    {
        foreach (var connection in _connections)
        {
            if (!connection.Outbox.Used)
                Send(connection, new FrameHeader { Kind = FrameKind.Heartbeat }, []);
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
            var found => "has " + RuntimeRequirement.Describe(found),
        });
        return string.Join("; ", groups.Select(static group =>
        {
            var named = group.Take(MostNamed).Select(static peer => $"{peer.Hello.Node} (manager {peer.Hello.Manager})").ToList();
            var more = group.Count() - named.Count;
            return $"{string.Join(", ", named)}{(more > 0 ? $" and {more} more" : "")} {group.Key}";
        }));
    }

    /// <summary>Handles frames that came on a connection, in their order.</summary>
    public void OnFrames(ManagerConnection connection, in FrameSlice frames)
    {
        if (!_connections.Contains(connection))
            return;
        connection.Heard = true;
        try
        {
            HandleFrames(connection, frames);
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

    private void Send(ManagerConnection connection, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        connection.Outbox.AddControl(Encode(header, body));
        MarkDirty(connection);
    }

    private void HandleFrames(ManagerConnection connection, in FrameSlice frames)
    {
        ManagerPeer? peer = null;
        // No manager's number.
        var from = uint.MaxValue;
        var bytes = frames.Buffer.Array;
        var end = frames.Offset + frames.Length;
        var run = frames.Offset;
        for (var at = frames.Offset; at < end;)
        {
            var header = FrameHeader.Read(bytes.AsSpan(at));
            var next = at + header.FrameLength;
            if (header.Destination != from)
            {
                from = header.Destination;
                peer = connection.Members.Find(from);
                if (peer is not null)
                    dispatcher.Core.OnHeard(peer.Number, dispatcher.Now);
            }

            if (peer is null || header.Kind is FrameKind.Hello or FrameKind.Gone)
            {
                Keep(frames.Buffer, run, at);
                OnMembership(connection, header, bytes.AsSpan(at + FrameHeader.Size, header.BodyLength));
                peer = connection.Members.Find(from);
                run = next;
            }
            else if (header.Kind == FrameKind.Result && (header.Flags & FrameFlags.Segmented) == 0)
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

    /// <summary>What a leader or an agent says of itself, of managers that come and go, and what comes from one that the endpoint does not know any more.</summary>
    private void OnMembership(ManagerConnection connection, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        if (connection.Hello is not { IsManager: false } dialled || (dialled.IsAgent && header.Destination > 0))
            throw new FrameException($"a {header.Kind} frame for destination {header.Destination}; only a leader has managers behind it");
        switch (header.Kind)
        {
            case FrameKind.Status when dialled.IsAgent:
                connection.Agent = AgentReport.Read(body);
                break;
            case FrameKind.Hello when header.Destination > 0:
                var hello = ManagerHello.Read(body);
                var reason = hello.Role != "manager" || hello.Manager is not { Length: > 0 and <= 128 }
                    ? "the hello behind a leader is that of no manager, or names none (1 to 128 characters)"
                    : Join(connection, hello with { Block = dialled.Block }, header.Destination);
                if (reason is not null)
                    Send(connection, new FrameHeader { Kind = FrameKind.Refused, ContentType = ContentType.Json, Destination = header.Destination }, Refusal(reason));
                break;
            case FrameKind.Gone:
                if (connection.Members.Find(header.Destination) is { } gone)
                    OnGone(gone);
                break;
            case FrameKind.Heartbeat:
                break;
            default:
                // It was on its way when the endpoint, or the leader, gave its manager up: that one sends it again after its next hello.
                if (header.Destination == 0)
                    throw new FrameException($"a connected {dialled.Role} does not send {header.Kind} frames of its own");
                break;
        }
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
        if (prefix.Outcome == TaskOutcome.AttemptLost && dispatcher.Core is { Stopping: true, Draining: false })
            return false;
        // A time of 0 is unknown. A clock that was set back in between is not a measurement.
        var duration = prefix.WorkerStarted > 0 && prefix.WorkerEnded >= prefix.WorkerStarted ? prefix.WorkerEnded - prefix.WorkerStarted : -1;
        if (dispatcher.Core.OnResult(peer.Number, header.Ticket, header.Task, header.Attempt, duration, dispatcher.Now, dispatcher, out var receipt))
        {
            BinaryPrimitives.WriteInt64LittleEndian(body[ResultPrefix.EndpointReceivedOffset..], receipt.Received);
            BinaryPrimitives.WriteInt64LittleEndian(body[ResultPrefix.EndpointSentOffset..], receipt.Sent);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(frame[FrameHeader.TicketOffset..], receipt.ServiceTicket);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[FrameHeader.DestinationOffset..], 0);
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
                if (peer.Report.Draining)
                    dispatcher.Core.OnManagerLeaving(peer.Number);
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
        if (!Segments.AreAll(header, partial.Bytes, partial.WholeBytes))
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
