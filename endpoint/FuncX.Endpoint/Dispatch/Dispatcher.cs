using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Core;
using FuncX.Endpoint.Managers;
using FuncX.Endpoint.ServiceLink;
using FuncX.Wire;

namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// Everything the loop owns, and the doing of what the core decides: decisions become frames in the outboxes of managers and results in the ledger. On the loop only,
/// except <see cref="Snapshot"/>. Measured by: bench engine.
/// </summary>
public sealed class Dispatcher : IEndpointEffects
{
    private readonly EndpointConfiguration _configuration;
    private readonly TimeProvider _time;
    private readonly BufferPool _pool;
    private readonly HopCounter _hops;
    private readonly CodeTable _code;
    private readonly LoopClock _clock;
    private TaskPayload[] _payloads = new TaskPayload[1024];
    private EndpointSnapshot _snapshot = new();

    public Dispatcher(EndpointConfiguration configuration, CoreSettings settings, TimeProvider time, BufferPool pool, HopCounter hops, ResultRoom room)
    {
        _code = new CodeTable(CodeTable.PathIn(configuration.StateDirectory));
        _configuration = configuration;
        _time = time;
        _pool = pool;
        _hops = hops;
        TaskWalltime = (uint)Math.Min(uint.MaxValue, configuration.Limits.TaskWalltime?.TotalMilliseconds ?? 0);
        Core = new EndpointCore(settings);
        Executions = new ExecutionCounts(block => JobOf(block), TellExecutions);
        Ledger = new ResultLedger(hops, room, (peer, mark) => Managers!.OnDurable(peer, mark));
        Managers = new ManagerRoster(this, Ledger, hops);
        Link = new LinkDesk(this, _code, Ledger, hops, room);
        _clock = new LoopClock(time);
        Now = time.Microseconds();
    }

    /// <summary>The numbers as of the last tick; from any thread.</summary>
    public EndpointSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>Passages of hops so far; from any thread.</summary>
    public HopCounts Hops => _hops.Read();

    /// <summary>What the core asks of blocks.</summary>
    internal Action<string> OnRequestBlock { get; set; } = _ => { };

    internal Action<string, string> OnEndBlock { get; set; } = (_, _) => { };

    /// <summary>The job of a block, as its scheduler calls it.</summary>
    internal Func<string, string> JobOf { get; set; } = _ => "";

    /// <summary>What is to be remembered of who ran what: a count, and whether it is the block's last word.</summary>
    internal Action<ExecutionEntry> OnExecutions { get; set; } = _ => { };

    /// <summary>Told of the block whose managers have become more or fewer, are late, or of which one has fallen silent.</summary>
    internal Action<string> OnManagerJoined { get; set; } = _ => { };

    internal Action<string> OnManagerSilent { get; set; } = _ => { };

    internal Action<string> OnManagerGone { get; set; } = _ => { };

    internal Action<string> OnManagersLate { get; set; } = _ => { };

    internal EndpointCore Core { get; }

    internal ExecutionCounts Executions { get; }

    /// <summary>Most milliseconds of one task at this endpoint, 0: no limit.</summary>
    internal uint TaskWalltime { get; }

    internal ResultLedger Ledger { get; }

    internal ManagerRoster Managers { get; }

    internal LinkDesk Link { get; }

    /// <summary>Unix microseconds at the beginning of the turn.</summary>
    internal long Now { get; private set; }

    /// <summary>Completed once every manager of the blocks that outlived the last process is back, or its block is known to be over.</summary>
    internal Survivors Survivors { get; } = new();

    internal void Attach(EndpointLoop loop) => _clock.Attach(loop);

    internal void BeginTurn() => Now = Math.Max(Now, _time.Microseconds());

    internal void EndTurn()
    {
        Core.Paused = Link.MustPause;
        Core.Dispatch(Now, this);
        Managers.Flush();
        Link.Flush();
        _clock.Arm(Core.NextTick, Now);
    }

    internal void OnTick()
    {
        var slow = Now >= _clock.NextSecond;
        if (slow)
            Managers.HearLeaders();
        Core.OnTick(Now, this);
        if (!slow)
            return;
        _clock.NextSecond = Now + 1_000_000;
        Managers.Heartbeat();
        Link.OnSecond();
        Executions.OnSecond(Now);
        Volatile.Write(ref _snapshot, Describe());
        Link.Report(_snapshot);
    }

    /// <summary>The numbers of this moment, manager by manager too: not for every second, there may be thousands.</summary>
    internal EndpointSnapshot DescribeAll() => Describe() with
    {
        PerManager =
        [
            .. Managers.All.Where(static peer => peer.InventoryDone)
                .Select(peer => new ManagerCounts(peer.Hello.Manager, peer.Hello.Node, peer.Hello.Pid, Core.InFlightAt(peer.Number), peer.Report.Hops)),
        ],
    };

    internal void OnManagerReady(string block) => Survivors.OnManager(block);

    internal void OnBlockEnds(string block, DateTimeOffset endsAt)
    {
        var microseconds = (endsAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        Managers.OnBlockEnds(block, microseconds);
        Core.OnBlockEnds(block, microseconds);
    }

    internal void OnBlockEnded(string block, BlockEnding ending)
    {
        Managers.OnBlockEnded(block);
        Survivors.OnEnded(block);
        Executions.OnBlockEnded(block);
        Core.OnBlockEnded(block, ending.Reason, Now, this, ending.TimeOver);
    }

    internal void KeepPayload(int ticket, in FrameSlice first, FrameSlice[]? rest)
    {
        if (ticket >= _payloads.Length)
            Array.Resize(ref _payloads, Math.Max(ticket + 1, _payloads.Length * 2));
        _payloads[ticket].First = first;
        _payloads[ticket].Rest = rest;
    }

    void IEndpointEffects.SendTask(int manager, int ticket, int function, int owner)
    {
        if (Managers.Find(manager) is not { Connection: { } connection } peer)
            return;
        if (peer.OwnersSent.Add(owner))
            Tell(peer, connection, _code.Owner(owner));
        if (peer.FunctionsSent.Add(function))
            TellFunction(peer, connection, function);
        if (peer.Runs is not { } runs || runs.Function != function || runs.Owner != owner)
            peer.Runs = runs = Executions.Of(peer.Hello.Block, function, owner);
        runs.Tasks++;
        ref var payload = ref _payloads[ticket];
        Address(payload.First, peer.Destination);
        if (payload.Rest is null)
        {
            connection.Outbox.AddTask(payload.First);
        }
        else
        {
            connection.Outbox.AddLarge(payload.First);
            foreach (var segment in payload.Rest)
            {
                Address(segment, peer.Destination);
                connection.Outbox.AddLarge(segment);
            }
        }

        _hops.TasksSent++;
        Managers.MarkDirty(connection);
    }

    void IEndpointEffects.CancelTask(int manager, int ticket, in TaskId task)
    {
        if (Managers.Find(manager) is not { Connection: { } connection } peer)
            return;
        var header = new FrameHeader { Kind = FrameKind.Cancel, Task = task, Ticket = (uint)ticket };
        if (ticket < _payloads.Length && _payloads[ticket].Rest is not null)
        {
            var frame = ManagerRoster.Encode(header with { Destination = peer.Destination }, []);
            connection.Outbox.AddLarge(frame);
            Managers.MarkDirty(connection);
        }
        else
        {
            Managers.Behind(peer, header, []);
        }
    }

    void IEndpointEffects.RecallTasks(int manager, int count)
    {
        if (Managers.Find(manager) is { } peer)
            Managers.Behind(peer, new FrameHeader { Kind = FrameKind.Recall }, BitConverter.GetBytes((uint)count));
    }

    void IEndpointEffects.EndTask(in EndedTask task) => End(task, EndingOf(task));

    /// <summary>A task ends as it came: its function wants a container, and this endpoint has none.</summary>
    internal void RejectContainer(in FrameHeader task, LinkContainer container) => End(
        new EndedTask(-1, task.Task, task.Attempt, task.Epoch, task.Ticket, TaskOutcome.Rejected, Manager: -1, Received: Now, Sent: 0, Requirement: 0),
        new FailureBody("ContainerNotAvailable",
            $"The function runs in container '{container.Name}' ({container.ContainerId[..Math.Min(8, container.ContainerId.Length)]}, for {string.Join(", ", container.Images.Keys.Order(StringComparer.Ordinal))}), "
            + $"and endpoint '{_configuration.Name}' runs functions on its nodes themselves: containers.runtime is {SnakeCase.Of(_configuration.Containers.Runtime)} in its file."));

    private void End(in EndedTask task, FailureBody ending)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(ending);
        var header = new FrameHeader
        {
            Kind = FrameKind.Result,
            Flags = task.CutOff ? FrameFlags.CutOff : FrameFlags.None,
            Task = task.Task,
            Attempt = task.Attempt,
            Epoch = task.Epoch,
            Ticket = task.ServiceTicket,
            ContentType = ContentType.Json,
            BodyLength = ResultPrefix.Size + body.Length,
        };
        var prefix = new ResultPrefix
        {
            Outcome = task.Outcome,
            ContentType = ContentType.Json,
            EndpointReceived = task.Received,
            EndpointSent = task.Sent,
            EndpointBack = Now,
        };
        var buffer = _pool.Rent(header.FrameLength);
        header.Write(buffer.Array);
        prefix.Write(buffer.Array.AsSpan(FrameHeader.Size));
        body.CopyTo(buffer.Array, FrameHeader.Size + ResultPrefix.Size);
        _hops.Ended(task.Outcome);
        Ledger.CountResult();
        Ledger.Add(new FrameSlice(buffer, 0, header.FrameLength));
        buffer.Release();
    }

    void IEndpointEffects.GiveBackTask(in EndedTask task) => Link.GiveBack(new FrameHeader
    {
        Kind = FrameKind.Returned,
        Task = task.Task,
        Attempt = task.Attempt,
        Epoch = task.Epoch,
        Ticket = task.ServiceTicket,
    });

    void IEndpointEffects.Forget(int ticket)
    {
        if (ticket < _payloads.Length)
            _payloads[ticket].Release();
    }

    void IEndpointEffects.CloseManager(int manager, string block, string reason)
    {
        OnManagerSilent(block);
        if (Managers.Find(manager) is { } peer)
            Managers.Close(peer, reason);
    }

    void IEndpointEffects.AskRuntimes(int manager)
    {
        if (Managers.Find(manager) is { Connection: not null } peer)
            Managers.Behind(peer, new FrameHeader { Kind = FrameKind.Probe }, []);
    }

    void IEndpointEffects.ForgetManager(int manager) => Managers.Forget(manager);

    void IEndpointEffects.RequestBlock(string block) => OnRequestBlock(block);

    void IEndpointEffects.EndBlock(string block, string reason) => OnEndBlock(block, reason);

    private void TellExecutions(ExecutionCount count, bool last)
    {
        var (id, name) = _code.NameOfFunction(count.Function);
        OnExecutions(new ExecutionEntry(_time.GetUtcNow(), count.Block, count.Job, _code.NameOfOwner(count.Owner), id, name, count.Tasks, last));
    }

    private void TellFunction(ManagerPeer peer, ManagerConnection connection, int function)
    {
        if (peer.Destination > 0 && !connection.Functions.Tell(connection.Outbox, function, _code.Function, peer.Destination))
            return;
        if (peer.Destination == 0)
            Tell(peer, connection, _code.Function(function));
        _hops.FunctionsSent++;
    }

    private static void Tell(ManagerPeer peer, ManagerConnection connection, in FrameSlice frames)
    {
        if (peer.Destination == 0)
        {
            frames.Buffer.Retain();
            connection.Outbox.AddControl(frames);
            return;
        }

        // All managers are told with the same bytes, but for their number.
        var own = new FrameSlice(PooledBuffer.Wrap(frames.Span.ToArray()), 0, frames.Length);
        Address(own, peer.Destination);
        connection.Outbox.AddControl(own);
    }

    // Each frame of the slice.
    private static void Address(in FrameSlice frames, uint destination)
    {
        var bytes = frames.Buffer.Array.AsSpan(frames.Offset, frames.Length);
        while (bytes.Length > 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[FrameHeader.DestinationOffset..], destination);
            bytes = bytes[BinaryPrimitives.ReadInt32LittleEndian(bytes)..];
        }
    }

    private FailureBody EndingOf(in EndedTask task)
    {
        var manager = Managers.Find(task.Manager)?.Hello.ToString() ?? "its manager";
        return task.Outcome switch
        {
            TaskOutcome.Cancelled => new FailureBody("Cancelled", "The task was cancelled before it started."),
            TaskOutcome.Rejected when task.Walltime > 0 => new FailureBody("WalltimeTooLong",
                $"The task's walltime of {TimeSpan.FromMilliseconds(task.Walltime)} is longer than any block of this endpoint lasts: its jobs have a walltime of {_configuration.Provider.Walltime}, the first and last seconds of which are not for tasks."),
            TaskOutcome.Rejected => new FailureBody("RequirementNotMet", $"The function requires {Core.Requirements.TextOf(task.Requirement)}, and no manager of this endpoint has it: {Managers.DescribeRuntimes()}."),
            TaskOutcome.Expired => new FailureBody("Expired", "The task's deadline passed before a worker was free for it."),
            TaskOutcome.AttemptLost when task.Suspended => new FailureBody("CutOff", $"Attempt {task.Attempt} was cut off: the job of {manager} was suspended while the task ran."),
            TaskOutcome.AttemptLost when task.CutOff => new FailureBody("CutOff", $"Attempt {task.Attempt} was cut off: the time of the block of {manager} was over, and the task had not ended by then."),
            _ => new FailureBody("ManagerLost", $"Attempt {task.Attempt} was lost with {manager}: its connection broke and it did not come back."),
        };
    }

    private static string Listed(IReadOnlyList<string> nodes)
    {
        const int Most = 20;
        var listed = string.Join(", ", nodes.Take(Most));
        return nodes.Count > Most ? $"{listed} and {nodes.Count - Most} more" : listed;
    }

    private EndpointSnapshot Describe()
    {
        var prefetch = 0;
        var managerHops = new ManagerHops();
        var note = Link.Note;
        foreach (var peer in Managers.All)
        {
            prefetch = Math.Max(prefetch, Core.AheadOf(peer.Number));
            managerHops += peer.Report.Hops;
            if (note.Length == 0 && peer.Report.Note.Length > 0)
                note = $"{peer.Hello.Node}: {peer.Report.Note}";
        }

        var staging = BlockStaging.Of(Managers.All);
        var unstaged = staging.Values.FirstOrDefault(static block => block.Problem.Length > 0);
        if (unstaged is not null)
            note = $"stage_in: {unstaged.Problem}";
        var agents = AgentReport.Sum(Managers.Connections);
        if (note.Length == 0)
            note = agents.Note;
        return new EndpointSnapshot
        {
            WorldsRunning = agents.WorldsRunning,
            WorldsWaiting = agents.WorldsWaiting,
            NodesGivenUp = Listed(agents.NodesGivenUp),
            AgentNotes = AgentReport.Notes(Managers.Connections),
            Online = Link.IsUp,
            Epoch = Link.Epoch,
            BlocksRequested = Core.BlocksRequested,
            BlocksRunning = Core.BlocksRunning,
            BlocksDraining = Core.BlocksDraining,
            Scale = Core.BlocksFixed?.ToString(CultureInfo.InvariantCulture) ?? "auto",
            WaitingForTime = Core.WaitingForTime,
            Managers = Core.ManagersReady,
            Workers = Core.Workers,
            WorkersBusy = Core.WorkersBusy,
            Queued = Core.Queued,
            Running = Core.Running,
            ResultsHeld = Ledger.Results,
            ResultsHeldBytes = Link.HeldBytes,
            SpoolBytes = Link.SpoolBytes(),
            SpoolOfOthers = Link.SpoolOfOthers,
            Completed = Core.Completed,
            Prefetch = prefetch,
            Hops = _hops.Read(),
            ManagerHops = managerHops,
            Staging = staging,
            // Managers that cannot be staged are why there is none that is ready; else why there is none its block's agent knows.
            Note = unstaged is not null || Core.Note is not { Length: > 0 } reason || (Core.Queued == 0 && note.Length > 0) ? note
                : agents.Note.Length > 0 ? $"{reason}; {agents.Note}" : reason,
        };
    }
}
