using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>
/// One worker: its socket and ring, the tasks it was sent, and what is due next about it. Owned by the engine's turn. Benchmark: throughput.
/// </summary>
internal sealed class WorkerProcess
{
    private const long RingCheckMicroseconds = 3_000;
    private const long StuckMicroseconds = 20_000;
    private const long DoubtMicroseconds = 5_000;

    private readonly Node _node;
    private readonly WorkerSocket _socket;
    private readonly SentTasks _sent;
    private readonly WorkerFeed _feed;
    private readonly Verdict _verdict = new();
    private readonly ProcessEnding _ending;
    private readonly bool _onePerProcess;
    private readonly StartWatch _start;
    private readonly WorkerMemory? _memory;
    private long _memoryAt = long.MaxValue;
    private ResultRing? _ring;
    private long _headSince;
    private long _ringCheckAt = long.MaxValue;
    private bool _saidHello;
    private bool _greeted;
    private bool _retired;
    private bool _ended;
    private bool _terminated;
    private bool _takingBack;
    private string? _fault;
    private int? _exit;

    public WorkerProcess(Node node, OwnerPool pool, WorkerDescriptors descriptors, int slot, bool onePerProcess)
    {
        _node = node;
        Pool = pool;
        Pid = descriptors.Pid;
        Slot = slot;
        _onePerProcess = onePerProcess;
        _ending = new ProcessEnding(node, Pid, pool.Kind == WorkerKind.Command);
        _ring = descriptors.Ring;
        _sent = new SentTasks(node.Table);
        Stdout = new OutputCapture(node.Poller, descriptors.Stdout, node.Settings.OutputLimit);
        Stderr = new OutputCapture(node.Poller, descriptors.Stderr, node.Settings.OutputLimit);
        _socket = new WorkerSocket(node, this, descriptors.Socket);
        _memory = node.Memory.Limit(slot, descriptors.Pid);
        _feed = new WorkerFeed(node, this, _sent, _socket);
        Answers = new WorkerAnswers(node, this, _sent, _memory, _verdict);
        _start = new StartWatch(node);
        _start.Begin();
    }

    public OwnerPool Pool { get; }

    public int Pid { get; }

    /// <summary>Its place on the node.</summary>
    public int Slot { get; }

    /// <summary>What it answers about its tasks.</summary>
    public WorkerAnswers Answers { get; }

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
        var wasIdle = _sent.Count == 0;
        var added = _feed.Append(most, now);
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
                Answers.Read(_ring);
        }
        catch (FrameException problem)
        {
            Break(problem.Message);
            return;
        }

        if (Answers.TakeNews())
            AfterAnswers();
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
        _verdict.Pass(slot, verdict, type ?? verdict.ToString(), text);
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
        else if (HasBegunNothing)
            _node.Arm(_headSince + StuckMicroseconds, NodeTimer.Now);
    }

    /// <summary>SIGTERM to everything it started, SIGKILL when that did not help.</summary>
    public void Terminate()
    {
        if (State == WorkerState.Gone)
            return;
        State = WorkerState.Leaving;
        _ended = true;
        _ending.Ask();
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
        _ending.Kill();
        if (orphaned && _socket.Closed)
            Finish();
        else
            _ending.AwaitExit(NodeTimer.Now);
    }

    /// <summary>It said what cannot be.</summary>
    public void Break(string reason)
    {
        if (State == WorkerState.Gone)
            return;
        _node.Note($"worker {Pid} of {Pool.Name} was ended: {reason}");
        _fault ??= reason;
        State = WorkerState.Leaving;
        _ending.Kill();
        _ending.AwaitExit(NodeTimer.Now);
    }

    /// <summary>Its socket ended: the process is gone, or going.</summary>
    public void OnEndOfFile()
    {
        if (_exit is not null || Orphaned)
        {
            Finish();
            return;
        }

        State = WorkerState.Leaving;
        _ending.AwaitExit(NodeTimer.Now);
    }

    public void OnExit(int code)
    {
        _exit = code;
        _terminated |= !_ended && ProcessEnding.IsOfTerm(code);
        _socket.Drain();
        Finish();
    }

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
        if (_ending.IsOver(now))
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
        if (_verdict.IsPassed && _node.Table[_verdict.Slot].Place == TaskPlace.Queued)
        {
            Pool.Queue.Remove(_verdict.Slot);
            _node.Answers.Failure(_verdict.Slot, _verdict.Outcome, 0, _verdict.Type, _verdict.Text);
            _verdict.Clear();
        }

        return true;
    }

    private void CheckMemory(long now)
    {
        _memoryAt = _sent.Count > 0 && !_verdict.IsPassed && State != WorkerState.Gone ? now + WorkerMemory.WatchMicroseconds : long.MaxValue;
        // The kernel may have chosen something that it started, and what waits for that would wait on.
        if (_memoryAt == long.MaxValue || (_memory!.IsWatched ? _memory.Excess() : _memory.TakeKill()) is not { } excess)
            return;
        EndTask(_sent.First, TaskOutcome.Exception, Answers.TextOf(excess), WorkerMemory.Failure);
        // Who takes memory without end is not asked: only of a command its worker is.
        if (Pool.Kind != WorkerKind.Command && _verdict.IsPassed)
            _ending.KillAt(now);
    }

    private void CheckTasks(long now)
    {
        if (((_sent.Count > 1 && !_sent.HeldToOne) || HasBegunNothing) && now - _headSince >= StuckMicroseconds)
        {
            Collect();
            if (HasBegunNothing)
            {
                TakeBack();
            }
            else if (_sent.Count > 1 && now - _headSince >= StuckMicroseconds)
            {
                _node.Table[_sent.First].Function!.Observe(now - _headSince);
                TakeBack();
            }
        }

        if (_verdict.IsPassed || State == WorkerState.Gone || _sent.Count == 0 || now < WalltimeDue())
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
        _ending.Expect();
        Pool.OnLeaving(this);
    }

    // Whether what it ran is lost or was cut off is not known yet.
    private bool WaitsForWord()
    {
        if (!_terminated || _sent.Count == 0 || _node.IsToldToEnd)
            return false;
        State = WorkerState.Leaving;
        return _ending.WaitsForWord(NodeTimer.Now);
    }

    private void Finish()
    {
        if (State == WorkerState.Gone || WaitsForWord())
            return;
        Stdout.Drain();
        Stderr.Drain();
        CollectLast();
        if (_ring is not null)
            _ = Resolve(_ring.Started, _ring.Forgotten);
        State = WorkerState.Gone;
        _start.End();
        if (_sent.Count > 0 && !_verdict.IsPassed)
            Answers.JudgeKill(_sent.First);

        // What it left behind in its session, and itself if it is only hung.
        _ending.Kill();
        Answers.OnGone(_ring?.Started ?? ulong.MaxValue, _exit, _fault);
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
            if (_ring is not null)
                Answers.Read(_ring);
        }
        catch (FrameException problem)
        {
            _fault ??= problem.Message;
        }
    }

    // One that is to go, and gets no processor: whoever wants its place would wait for it.
    private bool HasBegunNothing => _retired && _ring is { } ring && _sent.Count > 0 && _sent.Begin >= ring.Started;

    private long WalltimeDue()
    {
        var walltime = _node.WalltimeOf(_node.Table[_sent.First]);
        return walltime == 0 ? long.MaxValue : _headSince + (walltime * 1000);
    }

    private long NextDue()
    {
        var due = Math.Min(Math.Min(Math.Min(_ringCheckAt, _memoryAt), _ending.Due), _socket.Due);
        if (State == WorkerState.Gone || _sent.Count == 0)
            return due;
        if ((_sent.Count > 1 && !_sent.HeldToOne) || HasBegunNothing)
            due = Math.Min(due, _headSince + StuckMicroseconds);
        if (_sent.InDoubt)
            due = Math.Min(due, NodeTimer.Now + DoubtMicroseconds);
        return _verdict.IsPassed ? due : Math.Min(due, WalltimeDue());
    }
}
