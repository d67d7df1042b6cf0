using FuncX.Manager.Commands;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>How far a worker's life has come.</summary>
internal enum WorkerState
{
    /// <summary>Forked, not yet greeted.</summary>
    Greeting,

    Ready,

    /// <summary>It gets no more tasks and ends when it has none, or is being killed.</summary>
    Leaving,

    Gone,
}

/// <summary>
/// One worker: its socket and ring, the tasks it was sent, and what is due next about it. Owned by the engine's turn. Benchmark: throughput.
/// </summary>
internal sealed class WorkerProcess
{
    private const long RingCheckMicroseconds = 3_000;
    private const long StuckMicroseconds = 20_000;
    private const long DoubtMicroseconds = 5_000;
    private const long GraceMicroseconds = 2_000_000;

    /// <summary>A command's worker ends the command itself, and that of one with much memory takes the kernel a while: what it wrote until then is not to be lost.</summary>
    private const long CommandGraceMicroseconds = 10_000_000;
    private const long ExitNoticeMicroseconds = 1_000_000;

    /// <summary>Who signals every process of a job reaches some before others: so long it may take until the node is told to end, too.</summary>
    private const long WordMicroseconds = 250_000;
    private const long LeastKillMicroseconds = 5_000;

    private readonly Node _node;
    private readonly WorkerSocket _socket;
    private readonly SentTasks _sent;
    private readonly bool _onePerProcess;
    private readonly StartWatch _start;
    private readonly WorkerMemory? _memory;
    private long _memoryAt = long.MaxValue;
    private ResultRing? _ring;
    private long _headSince;
    private long _ringCheckAt = long.MaxValue;
    private long _killAt = long.MaxValue;
    private long _finishAt = long.MaxValue;
    private long _wordBy;
    private bool _saidHello;
    private bool _greeted;
    private bool _answered;
    private bool _served;
    private bool _retired;
    private bool _ended;
    private bool _terminated;
    private bool _takingBack;
    private int _verdictSlot = -1;
    private TaskOutcome _verdict;
    private string _verdictType = "";
    private string _verdictText = "";
    private string? _fault;
    private int? _exit;

    public WorkerProcess(Node node, OwnerPool pool, WorkerDescriptors descriptors, int slot, bool onePerProcess)
    {
        _node = node;
        Pool = pool;
        Pid = descriptors.Pid;
        Slot = slot;
        _onePerProcess = onePerProcess;
        _ring = descriptors.Ring;
        _sent = new SentTasks(node.Table);
        Stdout = new OutputCapture(node.Poller, descriptors.Stdout, node.Settings.OutputLimit);
        Stderr = new OutputCapture(node.Poller, descriptors.Stderr, node.Settings.OutputLimit);
        _socket = new WorkerSocket(node, this, descriptors.Socket);
        _memory = node.Memory.Limit(slot, descriptors.Pid);
        _start = new StartWatch(node);
        _start.Begin();
    }

    public OwnerPool Pool { get; }

    public int Pid { get; }

    /// <summary>Its place on the node.</summary>
    public int Slot { get; }

    public OutputCapture Stdout { get; }

    public OutputCapture Stderr { get; }

    public WorkerState State { get; private set; }

    /// <summary>Its zygote died and took it along.</summary>
    public bool Orphaned { get; private set; }

    public int Outstanding => _sent.Count;

    /// <summary>Since when it has nothing to do, on the clock of <see cref="NodeTimer.Now"/>.</summary>
    public long IdleSince { get; private set; } = NodeTimer.Now;

    /// <summary>It has begun with a task it was sent; without a ring nobody knows, and being sent one counts.</summary>
    public bool TookUp => (_ring?.Started ?? _sent.Next) > 0;

    /// <summary>How many tasks it takes ahead.</summary>
    public int Window { get; private set; } = 1;

    /// <summary>Was it told this function? Its module and globals are there as long as the worker.</summary>
    public bool Knows(NodeFunction function) => _socket.Knows(function);

    private bool Idle => State == WorkerState.Ready && _sent.Count == 0;

    /// <summary>Sends tasks from its owner's queue, at most <paramref name="most"/>, as far as its window goes.</summary>
    public void Feed(int most, long now)
    {
        if (State != WorkerState.Ready || _takingBack || _socket.Blocked || most <= 0)
            return;
        var queue = Pool.Queue;
        var table = _node.Table;
        var unixNow = Clock.UnixMicroseconds;
        var wasIdle = _sent.Count == 0;
        var added = 0;
        while (added < most)
        {
            var slot = queue.First;
            if (slot < 0)
                break;
            ref var task = ref table[slot];
            if (task.DeadlineMicroseconds != 0 && unixNow > task.DeadlineMicroseconds)
            {
                queue.Remove(slot);
                _node.Answers.Expired(slot);
                continue;
            }

            if (!_node.Lasts(task, now))
            {
                queue.Remove(slot);
                _node.Answers.Returned(slot);
                continue;
            }

            var function = task.Function!;
            var estimate = function.WritesRawOutput || (task.Flags & FrameFlags.Alone) != 0 ? NodeFunction.Unknown : function.EstimateMicroseconds;
            if (!FeedPolicy.HasRoom(_sent.Count, _sent.PendingMicroseconds, estimate, Window) || !_socket.HasRoom(task.Length, _sent.Count))
                break;
            queue.Remove(slot);
            task.EstimateMicroseconds = Math.Max(estimate, FeedPolicy.LeastMicroseconds);
            task.Place = TaskPlace.AtWorker;
            task.Worker = this;
            _sent.Add(slot);
            _socket.Append(function);
            _socket.Append(task.Slab!, task.Offset, task.Length);
            added++;
        }

        if (added == 0)
            return;
        if (wasIdle)
        {
            _headSince = now;
            if (_memory is not null)
                _memoryAt = now + WorkerMemory.WatchMicroseconds;
            Pool.OnBusy(this);
        }

        _node.Hops.TasksToWorkers += added;
        _socket.Send();
        _node.Arm(NextDue(), now);
    }

    /// <summary>The doorbell, or anything else that says results may be there.</summary>
    public void OnNews(bool doorbell)
    {
        Collect();
        var now = NodeTimer.Now;
        if (doorbell && _ring is not null && _sent.Count > 0)
        {
            _ringCheckAt = now + RingCheckMicroseconds;
            _node.Arm(_ringCheckAt, now);
        }
    }

    /// <summary>Takes what the ring holds and goes on from there.</summary>
    public void Collect()
    {
        if (State == WorkerState.Gone)
            return;
        try
        {
            if (_ring is not null)
            {
                while (_ring.TryRead(out var frame))
                {
                    OnResult(frame);
                    _ring.Advance(frame.Length);
                }

                if (_answered)
                    _ring.Release();
            }
        }
        catch (FrameException problem)
        {
            Break(problem.Message);
            return;
        }

        if (!_answered)
            return;
        _answered = false;
        AfterAnswers();
    }

    /// <summary>A whole result in one frame, from the ring or the socket.</summary>
    /// <exception cref="FrameException">It is none, or answers a task that this worker does not have.</exception>
    public void OnResult(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < ResultFrame.HeadBytes)
            throw new FrameException($"a result of {frame.Length} bytes; its header and prefix alone have {ResultFrame.HeadBytes}");

        // The ring is the worker's memory too: what was checked must be what travels on, so it is copied before.
        Span<byte> head = stackalloc byte[ResultFrame.HeadBytes];
        frame[..ResultFrame.HeadBytes].CopyTo(head);
        var prefix = head[FrameHeader.Size..];
        ResultFrame.CheckWhole(head, frame.Length);
        var slot = Settle(head, prefix, frame.Length - FrameHeader.Size);
        if (Overruled(slot, prefix, frame[ResultFrame.HeadBytes..]))
            return;
        if (Stdout.Any || Stderr.Any)
            ForwardWithOutput(slot, head, prefix, frame[ResultFrame.HeadBytes..]);
        else
            _node.Answers.Forward(slot, head, frame[ResultFrame.HeadBytes..]);
    }

    /// <summary>A result that came in segments.</summary>
    /// <exception cref="FrameException">It answers a task that this worker does not have.</exception>
    public void OnJoined(JoinedResult joined)
    {
        var slot = Settle(joined.Header, joined.Prefix, joined.Bytes);
        if (!IsJudged(slot, joined.Prefix) && !IsInterrupted(joined.Prefix) && !Stdout.Any && !Stderr.Any)
        {
            _node.Answers.Forward(slot, joined);
            return;
        }

        // What is rare is copied.
        var body = joined.Copy();
        if (!Overruled(slot, body, body.AsSpan(ResultPrefix.Size)))
            ForwardWithOutput(slot, joined.Header, body.AsSpan(0, ResultPrefix.Size), body.AsSpan(ResultPrefix.Size));
    }

    /// <exception cref="FrameException">It has said hello before: what that settled holds for its life.</exception>
    public void OnHello(Hello hello)
    {
        if (_saidHello)
            throw new FrameException("a second hello");
        _saidHello = true;
        if (!ProtocolVersion.TryAgree(hello.ProtocolMinimum, hello.ProtocolMaximum, out var protocol))
        {
            var reason = ProtocolVersion.Mismatch(hello.Version, hello.ProtocolMinimum, hello.ProtocolMaximum);
            _socket.Control(FrameKind.Refused, new Refusal(reason), MessageJson.Default.Refusal);
            Break(reason);
            return;
        }

        if (!hello.Ring)
        {
            _ring?.Unmap();
            _ring = null;
        }

        // What was sent ahead to a worker without a ring could not be taken back.
        Window = _onePerProcess || _ring is null ? 1 : Math.Clamp(hello.Window, 1, FeedPolicy.MostTasks);
        _socket.Control(FrameKind.Welcome, _node.ChildWelcome(protocol), MessageJson.Default.ChildWelcome);
        if (State != WorkerState.Greeting)
            return;
        State = WorkerState.Ready;
        _greeted = true;
        _start.End();
        IdleSince = NodeTimer.Now;
        Pool.OnReady(this);
    }

    /// <summary>Ends the task in a slot that this worker has: taken back when it has not started, else the worker is ended with it.</summary>
    public void EndTask(int slot, TaskOutcome verdict, string text, string? type = null)
    {
        TakeBack();
        if (_node.Table[slot].Place != TaskPlace.AtWorker || _node.Table[slot].Worker != this)
            return;
        Judge(slot, verdict, type ?? verdict.ToString(), text);
        Terminate();
    }

    /// <summary>Gets no more tasks; ends at once when it has none.</summary>
    public void Retire()
    {
        if (State is WorkerState.Leaving or WorkerState.Gone)
            return;
        State = WorkerState.Leaving;
        _retired = true;
        if (_sent.Count == 0)
            Hangup();
    }

    /// <summary>SIGTERM to everything it started, SIGKILL when that did not help.</summary>
    public void Terminate()
    {
        if (State == WorkerState.Gone)
            return;
        State = WorkerState.Leaving;
        _ended = true;
        // A worker of commands tells what runs in it itself: so it knows why that ends, and what went to another session ends too.
        _ = Libc.Kill(Pool.Kind == WorkerKind.Command ? Pid : -Pid, Libc.SIGTERM);
        var now = NodeTimer.Now;
        if (_killAt == long.MaxValue)
            _killAt = now + (Pool.Kind == WorkerKind.Command ? CommandGraceMicroseconds : GraceMicroseconds);
        _node.Arm(_killAt, now);
    }

    /// <summary>Ends it without grace; what it computed and did not start is kept.</summary>
    /// <param name="reason">Why, for its tasks.</param>
    /// <param name="orphaned">Its zygote is gone: nobody will report its end.</param>
    /// <param name="terminated">That one died of a SIGTERM which may be for the whole job.</param>
    public void Kill(string reason, bool orphaned = false, bool terminated = false)
    {
        if (State == WorkerState.Gone)
            return;
        Orphaned |= orphaned;
        _terminated |= terminated;
        _fault ??= reason;
        TakeBack();
        State = WorkerState.Leaving;
        _ended = true;
        _ = Libc.Kill(-Pid, Libc.SIGKILL);
        if (orphaned && _socket.Closed)
        {
            Finish();
            return;
        }

        var now = NodeTimer.Now;
        _finishAt = Math.Min(_finishAt, now + ExitNoticeMicroseconds);
        _node.Arm(_finishAt, now);
    }

    /// <summary>It said what cannot be.</summary>
    public void Break(string reason)
    {
        if (State == WorkerState.Gone)
            return;
        _node.Note($"worker {Pid} of {Pool.Name} was ended: {reason}");
        _fault ??= reason;
        State = WorkerState.Leaving;
        _ = Libc.Kill(-Pid, Libc.SIGKILL);
        var now = NodeTimer.Now;
        _finishAt = Math.Min(_finishAt, now + ExitNoticeMicroseconds);
        _node.Arm(_finishAt, now);
    }

    /// <summary>Its socket ended: the process is gone, or going.</summary>
    public void OnEndOfFile()
    {
        if (_exit is not null || Orphaned)
        {
            Finish();
            return;
        }

        // How it ended is known in a moment, from who reaps it.
        State = WorkerState.Leaving;
        var now = NodeTimer.Now;
        _finishAt = Math.Min(_finishAt, now + ExitNoticeMicroseconds);
        _node.Arm(_finishAt, now);
    }

    public void OnExit(int code)
    {
        _exit = code;
        _terminated |= !_ended && IsOfTerm(code);
        _socket.Drain();
        Finish();
    }

    // 143 is a .NET worker's.
    private static bool IsOfTerm(int code) => code is -Libc.SIGTERM or 128 + Libc.SIGTERM;

    /// <summary>Does what is due and says when to ask again.</summary>
    public long OnTimer(long now)
    {
        if (State == WorkerState.Gone)
            return long.MaxValue;
        var startDue = long.MaxValue;
        if (State == WorkerState.Greeting && _start.Hangs(now, () => ($"worker {Pid} of {Pool.Name}", Stderr.Tail(2000)), out startDue))
            Break($"it had not said hello after {_node.StartLimitMicroseconds / 1_000_000} s{(Stderr.Tail(2000) is { Length: > 0 } words ? $"; it said last: {words}" : "")}");
        if (_ringCheckAt <= now)
        {
            _ringCheckAt = long.MaxValue;
            Collect();
        }

        _socket.OnTimer(now);
        if (_sent.InDoubt)
            ResolveDoubt();
        if (State != WorkerState.Gone && _sent.Count > 0)
            CheckTasks(now);
        if (_memoryAt <= now)
            CheckMemory(now);
        if (_killAt <= now)
        {
            _killAt = long.MaxValue;
            _ = Libc.Kill(-Pid, Libc.SIGKILL);
            _finishAt = Math.Min(_finishAt, now + ExitNoticeMicroseconds);
        }

        if (_finishAt <= now)
        {
            _socket.Drain();
            Finish();
        }

        return Math.Min(startDue, NextDue());
    }

    // What the worker said is read before its answers are: an answer that comes later must not be overtaken. A task that comes back wants a worker, and this one may
    // have nothing else to do: without another word from anybody both would wait for ever.
    private void ResolveDoubt()
    {
        var (started, forgotten) = (_ring!.Started, _ring.Forgotten);
        _socket.Drain();
        Collect();
        if (State != WorkerState.Gone && Resolve(started, forgotten))
            AfterAnswers();
    }

    private bool Resolve(ulong started, ulong forgotten)
    {
        if (!_sent.Resolve(started, forgotten, Pool.Queue))
            return false;

        // It was being ended: it has not begun, and never will.
        if (_verdictSlot >= 0 && _node.Table[_verdictSlot].Place == TaskPlace.Queued)
        {
            Pool.Queue.Remove(_verdictSlot);
            _node.Answers.Failure(_verdictSlot, _verdict, 0, _verdictType, _verdictText);
            _verdictSlot = -1;
        }

        return true;
    }

    // What came through the pipes belongs to this task, together with what the worker collected itself.
    private void ForwardWithOutput(int slot, ReadOnlySpan<byte> header, ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> rest)
    {
        _node.Table[slot].Function!.WritesRawOutput = true;
        var read = ResultPrefix.Read(prefix, ResultPrefix.Size + rest.Length);
        var content = (ContentType)header[FrameHeader.ContentTypeOffset];
        _node.Answers.ForwardWithOutput(slot, content, read, rest, Stdout.Take(read.StdoutBytes), Stderr.Take(read.StderrBytes));
    }

    private int Settle(ReadOnlySpan<byte> header, ReadOnlySpan<byte> prefix, long bodyBytes)
    {
        var ticket = ResultFrame.Ticket(header);
        if (!_node.Table.Holds(ticket) || _node.Table[(int)ticket].Worker != this || _node.Table[(int)ticket].Id != ResultFrame.Task(header)
            || _node.Table[(int)ticket].Attempt != ResultFrame.Attempt(header))
        {
            throw new FrameException($"result for attempt {ResultFrame.Attempt(header)} of task {ResultFrame.Task(header)}, which worker {Pid} does not have");
        }

        ResultFrame.Check(prefix, bodyBytes);
        var slot = (int)ticket;
        _answered = true;
        if (!_served)
        {
            _served = true;
            Pool.OnServed();
        }

        _node.Hops.ResultsFromWorkers++;
        _node.Hops.ResultBytesReceived += FrameHeader.Size + bodyBytes;
        _node.Table[slot].Function!.Observe(ResultFrame.Microseconds(prefix));
        _sent.Remove(slot);
        return slot;
    }

    // It was told to end, or something of it was killed.
    private bool IsJudged(int slot, ReadOnlySpan<byte> prefix)
    {
        // What the kernel killed may be something that the task started, a command above all. That takes a while: the shortest tasks are not looked after.
        if (slot != _verdictSlot && _memory is not null && ResultFrame.Microseconds(prefix) > LeastKillMicroseconds && _memory.TakeKill() is { } killed)
            Judge(slot, TaskOutcome.Exception, WorkerMemory.Failure, $"worker {Pid} on node {_node.Name} {killed}");
        return slot == _verdictSlot;
    }

    // A task that was told to end and raised because of it has the outcome it was ended for, and the output that it had until then.
    private bool Overruled(int slot, ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> rest)
    {
        if (!IsJudged(slot, prefix))
            return IsInterrupted(prefix) && Interrupted(slot, prefix, rest);
        _verdictSlot = -1;
        var read = ResultPrefix.Read(prefix, ResultPrefix.Size + rest.Length);
        if (read.Outcome == TaskOutcome.Value && _verdictType != WorkerMemory.Failure)
            return false;
        if (read.Outcome == TaskOutcome.Value && Pool.Kind == WorkerKind.Command)
        {
            var (said, wrote) = CommandReport.ReadOutput(rest);
            _node.Answers.Failure(slot, _verdict, 0, _verdictType, _verdictText, said, wrote);
            return true;
        }

        var (written, complained) = Output(read, rest);
        _node.Answers.Failure(slot, _verdict, 0, _verdictType, _verdictText, written, complained);
        return true;
    }

    // Told to end by another than its manager: by who ends the whole job, as Slurm does with every process of a step, and not by what the task did. A worker of Python says the same of a
    // task that it never began.
    private bool IsInterrupted(ReadOnlySpan<byte> prefix) => Pool.Kind != WorkerKind.Python && ResultFrame.Outcome(prefix) == TaskOutcome.Cancelled;

    private bool Interrupted(int slot, ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> rest)
    {
        var (written, complained) = Output(ResultPrefix.Read(prefix, ResultPrefix.Size + rest.Length), rest);
        if (_node.IsToldToEnd)
            _node.Answers.CutOff(slot, ToldToEnd, written, complained);
        else
            _node.Answers.Failure(slot, TaskOutcome.AttemptLost, -Libc.SIGTERM, "WorkerLost", $"worker {Pid} on node {_node.Name} was told to end by SIGTERM while it ran the task", written, complained);
        return true;
    }

    private string ToldToEnd => $"was cut off: node {_node.Name} was told to end, and the task had not ended by then";

    // What the worker collected and what came through the pipes.
    private (byte[] Stdout, byte[] Stderr) Output(in ResultPrefix read, ReadOnlySpan<byte> rest)
    {
        var output = rest[^(read.StdoutBytes + read.StderrBytes)..];
        return ([.. output[..read.StdoutBytes], .. Stdout.Take(read.StdoutBytes)], [.. output[read.StdoutBytes..], .. Stderr.Take(read.StderrBytes)]);
    }

    private void Judge(int slot, TaskOutcome verdict, string type, string text) => (_verdictSlot, _verdict, _verdictType, _verdictText) = (slot, verdict, type, text);

    private void CheckMemory(long now)
    {
        _memoryAt = _sent.Count > 0 && _verdictSlot < 0 && State != WorkerState.Gone ? now + WorkerMemory.WatchMicroseconds : long.MaxValue;
        // The kernel may have chosen something that it started, and what waits for that would wait on.
        if (_memoryAt == long.MaxValue || (_memory!.IsWatched ? _memory.Excess() : _memory.TakeKill()) is not { } excess)
            return;
        EndTask(_sent.First, TaskOutcome.Exception, $"worker {Pid} on node {_node.Name} {excess}", WorkerMemory.Failure);
        // Who takes memory without end is not asked: only of a command its worker is.
        if (Pool.Kind != WorkerKind.Command && _verdictSlot >= 0)
            _killAt = now;
    }

    private void CheckTasks(long now)
    {
        if (_sent.Count > 1 && !_sent.HeldToOne && now - _headSince >= StuckMicroseconds)
        {
            Collect();
            if (_sent.Count > 1 && now - _headSince >= StuckMicroseconds)
            {
                _node.Table[_sent.First].Function!.Observe(now - _headSince);
                TakeBack();
            }
        }

        if (_verdictSlot >= 0 || State == WorkerState.Gone || _sent.Count == 0 || now < WalltimeDue())
            return;
        _socket.Drain();
        Collect();
        if (_sent.Count == 0 || now < WalltimeDue())
            return;
        var slot = _sent.First;
        EndTask(slot, TaskOutcome.TimedOut, $"ran longer than its walltime of {_node.WalltimeOf(_node.Table[slot])} ms on node {_node.Name} and was ended");
    }

    /// <summary>Takes back what it has not started; those tasks go to the front of the queue.</summary>
    private void TakeBack()
    {
        if (_ring is null || State == WorkerState.Gone || _sent.Count == 0 || _takingBack)
            return;
        var before = _ring.Skip(_sent.Next);
        if (before >= _sent.Next)
            return;
        FailPoints.Pass(FailPoint.AfterSkip);
        var after = _ring.Started;
        if (after != before)
        {
            _takingBack = true;
            _socket.Drain();
            Collect();
            _takingBack = false;
        }

        if (State == WorkerState.Gone)
            return;
        _sent.TakeBack(before, after, Pool.Queue);
        if (_sent.InDoubt)
            _node.Arm(NodeTimer.Now + DoubtMicroseconds, NodeTimer.Now);
        Pool.Touch();
        // One that is to go when its tasks are done, and had begun none of them: no answer will come that could end it, and its place would be nobody's for good.
        if (_retired && State == WorkerState.Leaving && _sent.Count == 0 && !_socket.Closed)
            Hangup();
    }

    private void AfterAnswers()
    {
        var now = NodeTimer.Now;
        _headSince = now;
        Pool.Touch();
        if (_sent.Count == 0)
        {
            IdleSince = now;
            _ringCheckAt = long.MaxValue;
            if (State == WorkerState.Ready && _onePerProcess)
                State = WorkerState.Leaving;
            if (State == WorkerState.Leaving)
            {
                Hangup();
                return;
            }
        }

        Pool.FeedAfterAnswers(this, now);
        if (Idle)
            Pool.OnIdle(this);
    }

    private void Hangup()
    {
        _socket.Close();
        var now = NodeTimer.Now;
        if (_killAt == long.MaxValue)
            _killAt = now + ExitNoticeMicroseconds;
        _node.Arm(_killAt, now);
        Pool.OnLeaving(this);
    }

    // Whether what it ran is lost or was cut off is not known yet.
    private bool WaitsForWord()
    {
        if (!_terminated || _sent.Count == 0 || _node.IsToldToEnd)
            return false;
        var now = NodeTimer.Now;
        if (_wordBy == 0)
        {
            State = WorkerState.Leaving;
            _finishAt = _wordBy = now + WordMicroseconds;
            _node.Arm(_finishAt, now);
        }

        return now < _wordBy;
    }

    private void Finish()
    {
        if (State == WorkerState.Gone || WaitsForWord())
            return;
        Stdout.Drain();
        Stderr.Drain();
        _answered = false;
        CollectLast();
        if (_ring is not null)
            _ = Resolve(_ring.Started, _ring.Forgotten);
        State = WorkerState.Gone;
        _start.End();
        if (_sent.Count > 0 && _verdictSlot < 0 && _memory?.TakeKill() is { } killed)
            Judge(_sent.First, TaskOutcome.Exception, WorkerMemory.Failure, $"worker {Pid} on node {_node.Name} {killed}");

        // What it left behind in its session, and itself if it is only hung.
        _ = Libc.Kill(-Pid, Libc.SIGKILL);
        var started = _ring?.Started ?? ulong.MaxValue;
        for (var number = _sent.Next; number-- > _sent.Begin;)
        {
            var slot = _sent.SlotOf(number);
            if (slot < 0)
                continue;
            if (number >= started)
                Pool.Queue.AddFirst(slot);
            else if (slot == _verdictSlot)
                _node.Answers.Failure(slot, _verdict, _exit ?? 0, _verdictType, _verdictText, Stdout.Take(), Stderr.Take());
            else if (_node.CutsOff || (_node.IsToldToEnd && (_exit is not { } code || IsOfTerm(code))))
                _node.Answers.CutOff(slot, ToldToEnd, Stdout.Take(), Stderr.Take());
            else
                _node.Answers.Failure(slot, TaskOutcome.AttemptLost, _exit ?? 0, "WorkerLost", Obituary(), Stdout.Take(), Stderr.Take());
        }

        var end = !_greeted ? WorkerEnd.BeforeHello : _retired || TookUp ? WorkerEnd.Served : _ended ? WorkerEnd.Ended : WorkerEnd.BeforeFirstTask;
        _socket.Close();
        _ring?.Unmap();
        var lastWords = Stderr.Tail(2000);
        Stdout.Close();
        Stderr.Close();
        Pool.OnGone(this, end, _exit, _fault ?? lastWords);
    }

    // The last results are taken whatever else the ring holds.
    private void CollectLast()
    {
        try
        {
            while (_ring is not null && _ring.TryRead(out var frame))
            {
                OnResult(frame);
                _ring.Advance(frame.Length);
            }
        }
        catch (FrameException problem)
        {
            _fault ??= problem.Message;
        }
    }

    private string Obituary() =>
        $"worker {Pid} on node {_node.Name} died {ExitText.Of(_exit)} while it ran the task{(_fault is null ? "" : $"; {_fault}")}";

    private long WalltimeDue()
    {
        var walltime = _node.WalltimeOf(_node.Table[_sent.First]);
        return walltime == 0 ? long.MaxValue : _headSince + (walltime * 1000);
    }

    private long NextDue()
    {
        var due = Math.Min(Math.Min(Math.Min(_ringCheckAt, _killAt), Math.Min(_finishAt, _memoryAt)), _socket.Due);
        if (State == WorkerState.Gone || _sent.Count == 0)
            return due;
        if (_sent.Count > 1 && !_sent.HeldToOne)
            due = Math.Min(due, _headSince + StuckMicroseconds);
        if (_sent.InDoubt)
            due = Math.Min(due, NodeTimer.Now + DoubtMicroseconds);
        return _verdictSlot >= 0 ? due : Math.Min(due, WalltimeDue());
    }
}
