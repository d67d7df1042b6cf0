using System.Buffers;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Core;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;
using Google.Protobuf;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// The loop's side of the link to the service: what its messages mean, how many tasks it may send, when results go to the spool instead. On the loop only.
/// </summary>
internal sealed class LinkDesk(Dispatcher dispatcher, CodeTable code, ResultLedger ledger, HopCounter hops, ResultRoom room)
{
    private const long SmallestWindow = 4096;
    private const int MostWaitingForTime = 65_536;
    private const long WindowBytes = 64 << 20;
    private const int InventoryBytes = InventoryEntry.Size * 10_000;
    private const long SpoolAfter = 1_000_000;
    private const long SpoolRetry = 1_000_000;

    private readonly ArrayBufferWriter<byte> _returned = new();
    private LinkSession? _session;
    private LinkIntake? _intake;
    private EndpointStatus? _reported;
    private long _grantedTasks;
    private long _grantedBytes;
    private long _downSince;
    private long _spoolNotBefore;
    private bool _spooling;
    private string _spoolProblem = "";

    /// <summary>Has results written to the spool; calls back on another thread with how many are durable and why the others are not. Set before the loop starts.</summary>
    public Action<List<HeldMessage>, Action<int, string?>>? Spool { get; set; }

    /// <summary>Bytes in the spool.</summary>
    public Func<long> SpoolBytes { get; set; } = () => 0;

    /// <summary>Where results lie that are not for this service and are not sent.</summary>
    public string SpoolOfOthers { get; set; } = "";

    /// <summary>Told, on the loop, when the spool has something new while the link is up.</summary>
    public Action OnSpoolGrown { get; set; } = () => { };

    /// <summary>
    /// False while the spool is read for an inventory: what went there meanwhile would be missing from the inventory, neither read nor held any more, and the service
    /// would have it run again.
    /// </summary>
    public bool MaySpool { get; set; } = true;

    public Action<LoopEvent> Post { get; set; } = _ => { };

    public bool IsUp => _session is not null;

    public uint Epoch { get; private set; }

    public long HeldBytes => room.Bytes;

    /// <summary>Results pile up: no task is to be started whose result could not be kept.</summary>
    public bool MustPause => room.PausesDispatch || _spoolProblem.Length > 0;

    /// <summary>Why there is no link, while there is none.</summary>
    public string AwayBecause { get; set; } = "";

    public string Note => _spoolProblem.Length > 0 ? $"spool: {_spoolProblem}"
        : !IsUp && AwayBecause.Length > 0 ? $"no link to the service: {AwayBecause}"
        : room.PausesDispatch ? $"the service does not take results: {room.Bytes} bytes wait"
        : "";

    /// <summary>The service has welcomed this process. Says what is held, then sends every result that is not durable.</summary>
    public void OnUp(LinkSession session, uint epoch, List<InventoryEntry> spooled)
    {
        _session = session;
        _intake = new LinkIntake(dispatcher, code, hops);
        Epoch = epoch;
        _grantedTasks = _grantedBytes = 0;
        _reported = null;
        _spoolProblem = "";
        MaySpool = true;
        for (var ticket = 0; ticket < dispatcher.Core.TicketBound; ticket++)
        {
            if (dispatcher.Core.TryDescribe(ticket, out var entry))
                spooled.Add(entry);
        }

        ledger.Describe(spooled);
        SendInventory(session, spooled);
        if (dispatcher.Core.Stopping)
            SendDrain(session);
        ledger.OnLinkUp(session);
    }

    /// <summary>The endpoint is about to stop: the service is told to send no more, before it hears of anything given back.</summary>
    public void OnStop()
    {
        if (_session is { } session)
            SendDrain(session);
    }

    public void OnDown(LinkSession session)
    {
        if (!ReferenceEquals(session, _session))
            return;
        _session = null;
        _intake?.Close();
        _intake = null;
        _downSince = dispatcher.Now;
        ledger.OnLinkDown();
    }

    /// <summary>Takes tasks of one message, unless the link is over.</summary>
    /// <exception cref="FrameException">The service sent what no version of the protocol means.</exception>
    public void OnTasks(LinkSession session, in FrameSlice message)
    {
        if (ReferenceEquals(session, _session))
            _intake!.OnTasks(message);
    }

    public void OnMessage(LinkSession session, ServiceMessage message)
    {
        if (!ReferenceEquals(session, _session))
            return;
        switch (message.MessageCase)
        {
            case ServiceMessage.MessageOneofCase.Function:
                _intake!.OnFunction(message.Function);
                break;
            case ServiceMessage.MessageOneofCase.Owner:
                _intake!.OnOwner(message.Owner);
                break;
            case ServiceMessage.MessageOneofCase.Ack:
                ledger.OnCommitted(message.Ack.Sequence);
                break;
            case ServiceMessage.MessageOneofCase.Cancel:
                OnCancel(message.Cancel.Tasks.Span);
                break;
        }
    }

    /// <summary>A task that has not started goes back to the service with the turn's end, when there is a link; else the next inventory lacks it.</summary>
    public void GiveBack(in FrameHeader header)
    {
        if (_session is not null)
            FrameWriter.Write(_returned, header, []);
    }

    /// <summary>Sends what the turn brought.</summary>
    public void Flush()
    {
        if (_session is not { } session)
            return;
        ledger.Flush();
        if (_returned.WrittenCount > 0)
        {
            session.Send(new EndpointMessage { Returned = new EndpointResults { Frames = ByteString.CopyFrom(_returned.WrittenSpan) } });
            _returned.ResetWrittenCount();
        }

        Grant(session);
    }

    /// <summary>Once a second: has results spooled that have waited for the service too long.</summary>
    public void OnSecond()
    {
        if (_session is null && dispatcher.Now - _downSince >= SpoolAfter)
            SpoolHeld();
    }

    /// <summary>Has everything held written to the spool, unless a writing is under way or the spool is being read for an inventory.</summary>
    public void SpoolHeld()
    {
        if (Spool is null || !MaySpool || _spooling || ledger.IsEmpty || dispatcher.Now < _spoolNotBefore)
            return;
        var messages = ledger.TakeForSpool();
        if (messages.Count == 0)
            return;
        _spooling = true;
        Spool(messages, (written, problem) => Post(new ActionEvent(_ => OnSpooled(messages, written, problem))));
    }

    /// <summary>Puts a record of the spool on its way to the service; the slice's reference is taken over.</summary>
    /// <returns>False when the link is over.</returns>
    public bool Replay(LinkSession session, IReadOnlyList<FrameSlice> frames, int results, Action committed)
    {
        if (!ReferenceEquals(session, _session))
            return false;
        ledger.Replay(frames, results, committed);
        return true;
    }

    /// <summary>Tells the service the numbers, when they have changed.</summary>
    public void Report(EndpointSnapshot snapshot)
    {
        if (_session is not { } session)
            return;
        var status = new EndpointStatus
        {
            BlocksRequested = snapshot.BlocksRequested,
            BlocksRunning = snapshot.BlocksRunning,
            Managers = snapshot.Managers,
            Workers = snapshot.Workers,
            WorkersBusy = snapshot.WorkersBusy,
            Queued = snapshot.Queued,
            Running = snapshot.Running,
            ResultsHeld = snapshot.ResultsHeld,
            SpoolBytes = snapshot.SpoolBytes,
            Completed = snapshot.Completed,
            Note = snapshot.Note,
        };
        if (status.Equals(_reported))
            return;
        _reported = status;
        session.Send(new EndpointMessage { Status = status });
    }

    private static void SendDrain(LinkSession session) => session.Send(new EndpointMessage { Drain = new EndpointDrain() });

    private static void SendInventory(LinkSession session, List<InventoryEntry> entries)
    {
        var at = 0;
        do
        {
            var count = Math.Min(entries.Count - at, InventoryBytes / InventoryEntry.Size);
            var bytes = new byte[count * InventoryEntry.Size];
            for (var i = 0; i < count; i++)
                entries[at + i].Write(bytes.AsSpan(i * InventoryEntry.Size));
            at += count;
            session.Send(new EndpointMessage
            {
                Inventory = new EndpointInventory { Entries = UnsafeByteOperations.UnsafeWrap(bytes), Last = at == entries.Count },
            });
        }
        while (at < entries.Count);
    }

    private void OnCancel(ReadOnlySpan<byte> ids)
    {
        var tasks = new HashSet<TaskId>(ids.Length / TaskId.Size);
        for (; ids.Length >= TaskId.Size; ids = ids[TaskId.Size..])
            tasks.Add(TaskId.Read(ids));
        dispatcher.Core.OnCancel(tasks, dispatcher);
    }

    // The window counts what has not been sent to managers, so it never runs dry while they have room, and never fills this process.
    private void Grant(LinkSession session)
    {
        var core = dispatcher.Core;
        // What came would be given back and come again, for as long as the stop takes.
        if (core.Stopping)
            return;
        // They wait nowhere, so that results of theirs would come without end while none is taken.
        if (MustPause && _intake!.Rejected > 0)
            return;
        var window = Math.Max(SmallestWindow, 2L * core.Capacity);
        // What waits for a block that lasts longer is not to keep from the managers what they have room for.
        var queued = core.Queued - Math.Min(core.WaitingForTime, MostWaitingForTime);
        var tasks = _intake!.Tasks + Math.Max(0, window - queued);
        var bytes = _intake.Bytes + Math.Max(0, WindowBytes - core.QueuedBytes);
        if (tasks - _grantedTasks < window / 8 && bytes - _grantedBytes < WindowBytes / 8)
            return;
        _grantedTasks = Math.Max(tasks, _grantedTasks);
        _grantedBytes = Math.Max(bytes, _grantedBytes);
        session.Send(new EndpointMessage { Credit = new Credit { Tasks = (ulong)_grantedTasks, Bytes = (ulong)_grantedBytes } });
    }

    private void OnSpooled(List<HeldMessage> messages, int written, string? problem)
    {
        _spooling = false;
        _spoolProblem = problem is not null && _session is null ? problem : "";
        if (problem is not null)
            _spoolNotBefore = dispatcher.Now + SpoolRetry;
        ledger.OnSpooled(messages, written);
        if (written > 0 && _session is not null)
            OnSpoolGrown();
    }
}
