using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Workers;
using FuncX.Wire;

namespace FuncX.Manager.Pools;

/// <summary>
/// One owner's queue, zygote and workers for functions of one kind. Nothing in here is ever handed to another owner. Owned by the engine's turn.
/// </summary>
internal sealed class OwnerPool
{
    private readonly Node _node;
    private readonly List<WorkerProcess> _workers = [];
    private readonly List<WorkerProcess> _idle = [];
    private Zygote? _zygote;
    private readonly StartBackOff _backOff = new();
    private string _failure = "";
    private TaskOutcome _failureOutcome;
    private readonly HashSet<int> _startingSlots = [];
    private int _rotation;
    private int _busy;
    private long _emptySince = NodeTimer.Now;

    public OwnerPool(Node node, string name, WorkerKind kind, string directory)
    {
        _node = node;
        Name = name;
        Kind = kind;
        Directory = directory;
        Queue = new TaskQueue(node.Table);
        Functions = new FunctionCache(node.FunctionNumbers);
    }

    public string Name { get; }

    public WorkerKind Kind { get; }

    /// <summary>Where its workers run; only this owner's.</summary>
    public string Directory { get; }

    public TaskQueue Queue { get; }

    public FunctionCache Functions { get; }

    public IReadOnlyList<WorkerProcess> Workers => _workers;

    /// <summary>Workers with tasks.</summary>
    public int Busy => _busy;

    /// <summary>Workers asked for that have not said hello.</summary>
    public int Starting { get; private set; }

    /// <summary>True while the turn has it on its list.</summary>
    public bool Touched { get; set; }

    public void Touch() => _node.Touch(this);

    /// <summary>What the pool policy needs to know.</summary>
    public PoolDemand Demand(long now)
    {
        var leaving = 0;
        var busy = 0;
        var idle = 0;
        foreach (var worker in _workers)
        {
            if (worker.State == WorkerState.Leaving)
                leaving++;
            else if (worker.State == WorkerState.Ready && worker.Outstanding > 0)
                busy++;
            else if (worker.State == WorkerState.Ready)
                idle++;
        }

        _busy = busy;
        return new PoolDemand(now < _backOff.RetryAt ? 0 : QueuedWork(), busy, idle, Starting, leaving);
    }

    /// <summary>Starts and gives up workers as decided.</summary>
    public void Apply(PoolDecision decision, long now)
    {
        for (var i = 0; i < decision.Start; i++)
            StartWorker();
        var retire = decision.Retire;
        for (var i = _idle.Count - 1; i >= 0 && retire > 0; i--)
        {
            if (_idle[i].State != WorkerState.Ready || _idle[i].Outstanding > 0)
                continue;
            retire--;
            _idle[i].Retire();
        }

        while (retire > 0)
        {
            WorkerProcess? least = null;
            foreach (var worker in _workers)
            {
                if (worker.State == WorkerState.Ready && (least is null || worker.Outstanding < least.Outstanding))
                    least = worker;
            }

            if (least is null)
                return;
            least.Retire();
            retire--;
        }
    }

    /// <summary>Hands queued tasks to workers: first one that is idle, then whoever has room.</summary>
    public void Feed(long now)
    {
        if (Queue.Count == 0)
            return;
        if (now < _backOff.HeldUntil && !_workers.Exists(static worker => worker.State == WorkerState.Ready))
        {
            while (Queue.First is var slot && slot >= 0)
            {
                Queue.Remove(slot);
                _node.Answers.Failure(slot, _failureOutcome, 0, "WorkerStartFailed", _failure);
            }

            return;
        }

        if (!_node.MayFeed)
            return;
        while (Queue.Count > 0 && _idle.Count > 0)
        {
            var worker = _idle[^1];
            _idle.RemoveAt(_idle.Count - 1);
            if (worker.State == WorkerState.Ready && worker.Outstanding == 0)
                worker.Feed(FeedPolicy.Share(Queue.Count, _idle.Count + 1), now);
        }

        for (var i = 0; i < _workers.Count && Queue.Count > 0; i++)
        {
            _rotation = (_rotation + 1) % _workers.Count;
            _workers[_rotation].Feed(FeedPolicy.Share(Queue.Count, _workers.Count - i), now);
        }
    }

    /// <summary>A worker has answered: its next tasks go before anything else.</summary>
    public void FeedAfterAnswers(WorkerProcess worker, long now)
    {
        if (Queue.Count > 0 && _node.MayFeed)
            worker.Feed(FeedPolicy.Share(Queue.Count, Math.Min(_workers.Count, _idle.Count + 1)), now);
    }

    // A command worker runs no user code itself: every command is a process of its own whatever the isolation.
    public void OnForked(WorkerDescriptors descriptors, int slot)
    {
        _startingSlots.Remove(slot);
        _workers.Add(new WorkerProcess(_node, this, descriptors, slot, Kind != WorkerKind.Command && string.Equals(_node.Settings.Isolation, "per_task", StringComparison.Ordinal)));
    }

    /// <summary>Was a worker asked for that is to have this place?</summary>
    public bool IsStarting(int slot) => _startingSlots.Contains(slot);

    public void OnForkRefused(string reason, int slot)
    {
        Starting--;
        if (_startingSlots.Remove(slot))
            _node.Slots.Release(slot);
        Failed($"no worker for owner {Name}: {reason}");
    }

    public void OnReady(WorkerProcess worker)
    {
        Starting--;
        _idle.Add(worker);
        Touch();
    }

    /// <summary>A worker's first answer.</summary>
    public void OnServed() => _backOff.Served();

    public void OnIdle(WorkerProcess worker)
    {
        if (!_idle.Contains(worker))
            _idle.Add(worker);
        var now = NodeTimer.Now;
        _node.Arm(now + IdleMicroseconds, now);
        Touch();
    }

    public void OnBusy(WorkerProcess worker) => _idle.Remove(worker);

    public void OnLeaving(WorkerProcess worker)
    {
        _idle.Remove(worker);
        Touch();
    }

    public void OnExited(int pid, int code)
    {
        foreach (var worker in _workers)
        {
            if (worker.Pid != pid)
                continue;
            worker.OnExit(code);
            return;
        }
    }

    public void OnGone(WorkerProcess worker, WorkerEnd end, int? exit, string words)
    {
        _workers.Remove(worker);
        _idle.Remove(worker);
        _node.Slots.Release(worker.Slot);
        if (end == WorkerEnd.BeforeHello)
            Starting--;
        if (end == WorkerEnd.Served)
            _backOff.Served();
        else if (end != WorkerEnd.Ended && !worker.Orphaned)
        {
            var when = end == WorkerEnd.BeforeHello ? "before it was ready" : "before its first task";
            Failed($"a worker of owner {Name} ended {when}, {ExitText.Of(exit)}{(words.Length > 0 ? $": {words}" : "")}", exit is null or < 0);
        }

        _emptySince = NodeTimer.Now;
        Touch();
    }

    /// <param name="zygote">Which.</param>
    /// <param name="reason">For people.</param>
    /// <param name="exit">Its exit status, or minus its signal; 0 when it was ended.</param>
    public void OnZygoteGone(Zygote zygote, string reason, int exit)
    {
        if (_zygote != zygote)
            return;
        _zygote = null;
        Starting = 0;
        foreach (var slot in _startingSlots)
            _node.Slots.Release(slot);
        _startingSlots.Clear();
        foreach (var worker in _workers.ToArray())
        {
            Starting += worker.State == WorkerState.Greeting ? 1 : 0;
            worker.Kill(reason, orphaned: true, terminated: exit == -Libc.SIGTERM);
        }

        Failed(reason, exit < 0);
    }

    /// <summary>Ends idle workers and an idle zygote when their time has come; says when to ask again.</summary>
    public long OnTimer(long now)
    {
        var due = long.MaxValue;
        foreach (var worker in _workers.ToArray())
        {
            if (worker.State == WorkerState.Ready && worker.Outstanding == 0)
            {
                var ends = worker.IdleSince + IdleMicroseconds;
                if (ends <= now)
                    worker.Retire();
                else
                    due = Math.Min(due, ends);
            }

            due = Math.Min(due, worker.OnTimer(now));
        }

        due = Math.Min(due, _zygote?.OnTimer(now) ?? long.MaxValue);
        if (_zygote is not null && _workers.Count == 0 && Starting == 0 && Queue.Count == 0)
        {
            if (_emptySince + IdleMicroseconds <= now)
                EndZygote();
            else
                due = Math.Min(due, _emptySince + IdleMicroseconds);
        }

        if (Queue.Count == 0)
            return due;
        if (now < _backOff.RetryAt)
            due = Math.Min(due, _backOff.RetryAt);
        else
            Touch();
        return Math.Min(due, ExpireQueued());
    }

    /// <summary>Everything of it ends now; what ran is lost, what waited stays queued.</summary>
    public void End()
    {
        foreach (var worker in _workers.ToArray())
            worker.Kill("the manager ends");
        EndZygote();
    }

    private long IdleMicroseconds => _node.Settings.IdleMs * 1000;

    // A queue of many short tasks is not worth a worker each.
    private int QueuedWork()
    {
        if (Queue.Count == 0)
            return 0;
        var estimate = _node.Table[Queue.First].Function!.EstimateMicroseconds;
        return estimate >= FeedPolicy.AheadMicroseconds ? Queue.Count : (int)Math.Min(Queue.Count, 1 + ((long)Queue.Count * estimate / FeedPolicy.AheadMicroseconds));
    }

    private long ExpireQueued()
    {
        var now = Clock.UnixMicroseconds;
        var next = long.MaxValue;
        for (var slot = Queue.First; slot >= 0;)
        {
            var deadline = _node.Table[slot].DeadlineMicroseconds;
            var following = _node.Table[slot].Next;
            if (deadline != 0 && deadline < now)
            {
                Queue.Remove(slot);
                _node.Answers.Expired(slot);
            }
            else if (deadline != 0)
            {
                next = Math.Min(next, deadline);
            }

            slot = following;
        }

        return next == long.MaxValue ? next : NodeTimer.Now + (next - now) + 1000;
    }

    private void StartWorker()
    {
        if (!_node.Environment.Ready)
        {
            _node.Environment.Prepare();
            return;
        }

        if (!_node.Starter.FindProgram(this))
            return;
        Starting++;
        var slot = _node.Slots.Take();
        _startingSlots.Add(slot.Number);
        if (Kind != WorkerKind.Python || string.Equals(_node.Settings.Isolation, "spawn", StringComparison.Ordinal))
        {
            _node.Starter.StartWorker(this, slot);
            return;
        }

        _zygote ??= _node.Starter.StartZygote(this);
        _zygote.Fork(slot);
    }

    /// <summary>A worker could not be started, or was of no use: try again soon, and after a few times say so to the tasks that wait.</summary>
    /// <param name="reason">What failed and how.</param>
    /// <param name="bySignal">Somebody or the kernel killed it: another attempt may do well, so its tasks are lost, not rejected.</param>
    public void Failed(string reason, bool bySignal = false)
    {
        var now = NodeTimer.Now;
        _node.Note(reason);
        if (_backOff.Failed(now, bySignal, othersMayServe: _workers.Exists(static worker => worker.State == WorkerState.Greeting || (worker.State == WorkerState.Ready && worker.TookUp))))
        {
            _failure = reason;
            _failureOutcome = bySignal ? TaskOutcome.AttemptLost : TaskOutcome.Rejected;
        }

        _node.Arm(Math.Max(_backOff.RetryAt, now + 1), now);
        Touch();
    }

    /// <summary>No task of it can run on this node for now, for a reason that trying again at once would not change.</summary>
    public void Reject(string reason)
    {
        _failure = reason;
        _failureOutcome = TaskOutcome.Rejected;
        _backOff.Refuse(NodeTimer.Now);
        Touch();
    }

    private void EndZygote()
    {
        _zygote?.Close();
        _zygote = null;
    }
}
