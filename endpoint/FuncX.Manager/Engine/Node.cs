using System.Runtime.InteropServices;
using FuncX.Manager.Interop;
using FuncX.Manager.Launching;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Manager.Spawning;
using FuncX.Manager.Workers;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>
/// All state of this node, changed in turns under one lock: by the polling thread when a worker has news, by the link's reading thread when
/// the endpoint has. Whoever has news does the whole turn itself, so a task or result changes no thread on its way. Benchmark: throughput.
/// </summary>
internal sealed unsafe class Node
{
    public const int ReceiveBytes = 64 * 1024;

    /// <summary>Most bytes of results without an Ack; beyond it workers are not fed.</summary>
    private const long HeldLimit = 64 << 20;
    private const long StatusMicroseconds = 1_000_000;

    /// <summary>So long after the last change the memory of the work before is given back.</summary>
    private const long TrimMicroseconds = 5_000_000;

    /// <summary>Who reads a large result gives way early: it is in nobody's hurry.</summary>
    private const long PatienceMicroseconds = 30;

    private const int MostNoteCharacters = 4_000;

    /// <summary>Most bytes of a value: with its output and all frames' headers it must stay below 2 GiB, what one batch can hold.</summary>
    private const long LargestValue = 2_000_000_000;

    /// <summary>An exception is told whatever the limit of values is; a worker sends 64 Ki characters of its type, message and traceback.</summary>
    private const long LargestFailure = 2 << 20;

    /// <summary>Time for the last words to leave.</summary>
    private const long LastWordMicroseconds = 20_000;

    private readonly Lock _gate = new();
    private readonly Queue<OwnerPool> _touched = new();
    private readonly List<OwnerPool> _pools = [];
    private readonly NodeTimer _timer = new();
    private readonly Spawner _spawner;
    private readonly int _wake;
    private readonly LinkInbox _inbox;
    private readonly NodeStatus _status;
    private IEndpointLink? _link;
    private Crowding? _crowding;
    private bool _configured;
    private bool _draining;
    private bool _saidLast;
    private long _statusAt = long.MaxValue;
    private long _trimAt = long.MaxValue;
    private long _killAt = long.MaxValue;
    private long _endAt = long.MaxValue;

    // Until when tasks run, by its own clock; the job's end comes soon after.
    private long _lastsUntil = long.MaxValue;
    private int? _exitCode;

    public Node(ManagerOptions options, Spawner spawner)
    {
        Name = options.Node;
        Directory = options.Directory;
        StartLimitMicroseconds = (long)options.StartLimit.TotalMicroseconds;
        if (options.DrainAt is { } drainAt)
            LastUntil(BlockEnd.Told(drainAt, options.DrainFor));
        _spawner = spawner;
        _inbox = new LinkInbox(this);
        _status = new NodeStatus(this);
        Answers = new Answers(Table, Outbox);
        Interrupted = new InterruptedTasks(this);
        Staging = new NodeStaging(this);
        Environment = new NodeEnvironment(this, spawner);
        Starter = new ProcessStarter(this, spawner);
        Runtimes = new NodeRuntimes(this, spawner);
        ReceiveBuffer = (byte*)NativeMemory.Alloc(ReceiveBytes);
        _wake = Libc.EventFd(0, Libc.EFD_FLAGS);
        _ = Poller.Add(_wake, Libc.EPOLLIN, new WakeHandler(_wake));
        _ = Poller.Add(_timer.Descriptor, Libc.EPOLLIN, new TimerHandler(this));
        _ = Poller.Add(spawner.Socket, Libc.EPOLLIN, new SpawnerHandler(this));
    }

    public string Name { get; }

    public string Directory { get; }

    public Poller Poller { get; } = new();

    public TaskTable Table { get; } = new();

    public ResultOutbox Outbox { get; } = new();

    public Answers Answers { get; }

    public InterruptedTasks Interrupted { get; }

    public Hops Hops { get; } = new();

    public Gather Gather { get; } = new();

    public byte* ReceiveBuffer { get; }

    /// <summary>Whether the polling thread has to wait for processors; asked by that thread alone.</summary>
    public Crowding Crowding => _crowding ??= new Crowding(PatienceMicroseconds);

    public WorkerSettings Settings { get; private set; } = new();

    public NodeStaging Staging { get; }

    /// <summary>Asks for a function that does not come with the tasks; <see cref="OnFunction"/> brings it. Before the first welcome.</summary>
    public Action<FunctionDigest, long> WantFunction { get; set; } =
        static (digest, _) => throw new FrameException($"the endpoint sent the digest of function {digest} to a manager that is in no world, and not the function");

    /// <summary>What has come so.</summary>
    public FunctionCounts FunctionCounts { get; set; } = new();

    /// <summary>Tasks that wait for it.</summary>
    public int TasksWithoutFunction => _inbox.Waiting;

    public NodeEnvironment Environment { get; }

    public FunctionNumbers FunctionNumbers { get; } = new();

    /// <summary>How long a start may take, see <see cref="StartWatch"/>.</summary>
    public long StartLimitMicroseconds { get; }

    public ProcessStarter Starter { get; }

    public NodeRuntimes Runtimes { get; }

    /// <summary>The node's places for workers; those of the first welcome hold.</summary>
    public WorkerSlots Slots { get; private set; } = new(new WorkerSettings(), []);

    public MemoryLimits Memory { get; private set; } = MemoryLimits.Create(0);

    public IReadOnlyList<OwnerPool> Pools => _pools;

    /// <summary>Tasks that come now are given back.</summary>
    public bool Draining => _draining;

    /// <summary>What runs has been ended because the node was told to end: it is lost by no fault of its own.</summary>
    public bool CutsOff { get; private set; }

    /// <summary>When its job ends; null: nobody knows.</summary>
    public BlockEnd? JobEnd { get; private set; }

    /// <summary>For how long tasks can run from now on; 0: nobody knows.</summary>
    public long EndsInMs => _lastsUntil == long.MaxValue ? 0 : Math.Max(1, (_lastsUntil - NodeTimer.Now) / 1000);

    /// <summary>Whether a task that begins now ends by itself before the node does, as far as its walltime says.</summary>
    public bool Lasts(in TaskRecord task, long now) => task.WalltimeMilliseconds == 0 || _lastsUntil - now >= WalltimeOf(task) * 1000;

    /// <summary>False while too many results wait for their Ack.</summary>
    public bool MayFeed => Outbox.HeldBytes < HeldLimit;

    /// <summary>Why the process ends, when it does not end well.</summary>
    public string ExitReason { get; private set; } = "";

    /// <summary>The last thing that went wrong, for the status.</summary>
    public string LastNote { get; private set; } = "";

    /// <summary>Polls until the end; the result is the exit code.</summary>
    public int Run()
    {
        while (true)
        {
            var count = Poller.Wait();
            IEndpointLink? link;
            lock (_gate)
            {
                Poller.Dispatch(count);
                EndTurn();
                if (_exitCode is not null)
                    return _exitCode.Value;
                link = _link;
            }

            link?.Kick();
        }
    }

    /// <summary>A turn that the link's reader does; returns what it used of the input.</summary>
    public void OnFrames(ref System.Buffers.ReadOnlySequence<byte> input)
    {
        IEndpointLink? link;
        lock (_gate)
        {
            _inbox.Take(ref input);
            EndTurn();
            link = _link;
        }

        link?.Kick();
    }

    /// <summary>A function that was asked for is here. A turn of its own.</summary>
    /// <exception cref="FrameException">It is none.</exception>
    public void OnFunction(FunctionDigest digest, ReadOnlySpan<byte> body)
    {
        IEndpointLink? link;
        lock (_gate)
        {
            _inbox.OnFunction(digest, body);
            EndTurn();
            link = _link;
        }

        link?.Kick();
    }

    /// <summary>Whether tasks wait for a function, or may soon.</summary>
    public bool Awaits(FunctionDigest digest)
    {
        lock (_gate)
            return _inbox.Awaits(digest);
    }

    /// <summary>Something may have changed that the status says.</summary>
    public void Look()
    {
        IEndpointLink? link;
        lock (_gate)
        {
            EndTurn();
            link = _link;
        }

        link?.Kick();
    }

    public void OnLinkUp(IEndpointLink link, Welcome welcome)
    {
        lock (_gate)
        {
            if (!_configured)
            {
                Settings = welcome.Workers with
                {
                    PerNode = Math.Max(1, welcome.Workers.PerNode),
                    CoresPerWorker = Math.Max(1, welcome.Workers.CoresPerWorker),
                    OutputLimit = Math.Clamp(welcome.Workers.OutputLimit, 0, ResultPrefix.LargestOutput),
                    ResultLimit = Math.Clamp(welcome.Workers.ResultLimit, 0, LargestValue),
                    // What a welcome leaves out comes as null.
                    Accelerators = welcome.Workers.Accelerators ?? [],
                    CpuAffinity = welcome.Workers.CpuAffinity ?? "none",
                    Kept = welcome.Workers.Kept ?? "",
                };
                Slots = new WorkerSlots(Settings, CpuMask.Current());
                Memory = MemoryLimits.Create(Settings.MemoryPerWorker);
                Staging.Begin(welcome.Stage);
            }

            _configured = true;
            _inbox.Reset();
            _link = link;
            Outbox.Restart();
            // What it holds is what it says when it is ready for work.
            if (Staging.Ready)
                Inventory.Write(Table, Outbox);
            _status.Write(afterResults: true);
            EndTurn();
        }

        link.Kick();
    }

    /// <summary>Staging has news. From its threads.</summary>
    /// <param name="staged">The directory of all files, when they are there.</param>
    public void OnStaging(string? staged)
    {
        IEndpointLink? link;
        lock (_gate)
        {
            link = _link;
            if (staged is not null)
                Staging.End(staged);
            if (link is null || _exitCode is not null)
                return;
            if (staged is not null)
                Inventory.Write(Table, Outbox);
            _status.Write(afterResults: false);
        }

        link.Kick();
    }

    public void OnLinkDown(IEndpointLink link)
    {
        lock (_gate)
        {
            if (_link == link)
                _link = null;
        }
    }

    /// <summary>The next bytes for the link's writer.</summary>
    public SendBatch? Take(IEndpointLink link, out Memory<byte> piece)
    {
        lock (_gate)
        {
            piece = default;
            var batch = _link == link ? Outbox.Take(out piece) : null;
            if (batch is { Mark: > 0 })
                Hops.ResultsSent++;
            return batch;
        }
    }

    public void Written(SendBatch batch)
    {
        lock (_gate)
            Outbox.Written(batch);
    }

    public bool HasOutput(IEndpointLink link)
    {
        lock (_gate)
            return _link == link && Outbox.HasOutput;
    }

    public void SendHeartbeat(IEndpointLink link)
    {
        lock (_gate)
            Outbox.Control(new FrameHeader { Kind = FrameKind.Heartbeat }, default);
        link.Kick();
    }

    /// <summary>It has so long to end and no longer: a worker that dies of SIGTERM now, or with the one that would report it, had it from whoever told the node.</summary>
    public bool IsToldToEnd { get; private set; }

    /// <summary>What a task hears that was cut off by that.</summary>
    public string ToldToEnd => $"was cut off: node {Name} was told to end, and the task had not ended by then";

    /// <summary>Takes no more tasks, gives back what waits, finishes what runs, and ends.</summary>
    /// <param name="patience">How long running tasks may take; null: as long as they need.</param>
    public void Drain(TimeSpan? patience)
    {
        lock (_gate)
        {
            _draining = true;
            IsToldToEnd |= patience is not null;
            if (patience is not null && !CutsOff)
            {
                // Whoever is in more of a hurry than the drain that is under way has his way.
                var now = NodeTimer.Now;
                _killAt = Math.Min(_killAt, now + (long)patience.Value.TotalMicroseconds);
                Arm(_killAt, now);
            }
        }

        Wake();
    }

    /// <summary>The endpoint has heard when the job ends. In a turn.</summary>
    /// <param name="microseconds">Unix.</param>
    public void OnJobEnds(long microseconds)
    {
        if (_draining || JobEnd is not { } known)
            return;
        var end = known.Prolonged(microseconds, DateTimeOffset.UtcNow);
        if (ReferenceEquals(end, known))
            return;
        LastUntil(end);
        Console.Error.WriteLine($"funcx-manager {Name}: the job ends at {end.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z, later than was known");
    }

    public void End(int code, string reason)
    {
        lock (_gate)
        {
            _exitCode ??= code;
            if (ExitReason.Length == 0)
                ExitReason = reason;
        }

        Wake();
    }

    public void Touch(OwnerPool pool)
    {
        if (pool.Touched)
            return;
        pool.Touched = true;
        _touched.Enqueue(pool);
    }

    public void Arm(long due, long now) => _timer.Arm(due, now);

    /// <summary>A task must not start later than so many microseconds from now: look then whether it still waits.</summary>
    public void ArmDeadline(long microseconds)
    {
        var now = NodeTimer.Now;
        Arm(now + Math.Max(0, microseconds) + 1000, now);
    }

    /// <summary>As <see cref="Note"/>, from outside a turn.</summary>
    public void Report(string text)
    {
        lock (_gate)
            Note(text);
    }

    public void Note(string text)
    {
        // A zygote is user code's and may say anything: a status with all of it could be more than a frame holds, which would end the link for every owner.
        LastNote = text.Length <= MostNoteCharacters ? text : $"{text.AsSpan(0, MostNoteCharacters)} [{text.Length - MostNoteCharacters} more characters were cut]";
        Console.Error.WriteLine($"funcx-manager {Name}: {LastNote}");
    }

    public long WalltimeOf(in TaskRecord task)
    {
        var own = (long)task.WalltimeMilliseconds;
        return own == 0 ? Settings.WalltimeMs : Settings.WalltimeMs == 0 ? own : Math.Min(own, Settings.WalltimeMs);
    }

    /// <summary>Most bytes of one result with all that belongs to it.</summary>
    public long LargestResult => ResultPrefix.Size + Math.Max(Settings.ResultLimit, LargestFailure) + ResultPrefix.LargestOutputs;

    public ChildWelcome ChildWelcome(int protocol) =>
        new(ProtocolVersion.Product, protocol, Settings.Preload, Settings.OutputLimit, Settings.ResultLimit);

    /// <summary>What a note said holds no longer: it leaves the status, unless another has come since.</summary>
    public void Unsay(string note)
    {
        if (ReferenceEquals(LastNote, note))
            LastNote = "";
    }

    private void LastUntil(BlockEnd end)
    {
        JobEnd = end;
        _lastsUntil = NodeTimer.Now + (long)(end.DrainAt + end.DrainFor - DateTimeOffset.UtcNow).TotalMicroseconds;
    }

    public OwnerPool AddPool(string name, WorkerKind kind, string directory)
    {
        var pool = new OwnerPool(this, name, kind, directory);
        _pools.Add(pool);
        return pool;
    }

    /// <summary>workers.init has ended, well when <paramref name="failure"/> is null.</summary>
    public void OnEnvironment(string? failure)
    {
        if (failure is not null)
            Note(failure);
        foreach (var pool in _pools)
        {
            if (failure is not null && pool.Queue.Count > 0)
                pool.Reject(failure);
            pool.Touch();
        }

        Runtimes.OnEnvironment(failure is null);
    }

    /// <summary>Tells the endpoint of something that it waits for.</summary>
    public void TellStatus() => _status.Write(afterResults: false);

    private void EndTurn()
    {
        var now = NodeTimer.Now;
        _ = Interrupted.Answer(now);
        while (_touched.TryDequeue(out var pool))
        {
            pool.Touched = false;
            if (_draining)
                ReturnQueued(pool);
            pool.Feed(now);
        }

        if (_status.HidesDrain)
            _status.Write(afterResults: false);
        if (_draining)
            GoOnDraining(now);
        else
            Decide(now);
        if (_statusAt == long.MaxValue && _status.Changed)
        {
            _statusAt = now + StatusMicroseconds;
            Arm(_statusAt, now);
        }
    }

    private void Decide(long now)
    {
        var queued = false;
        foreach (var pool in _pools)
            queued |= pool.Queue.Count > 0;
        if (!queued)
            return;
        if (_pools.Count == 1 && _pools[0].Workers.Count + _pools[0].Starting >= Settings.PerNode + _pools[0].Starting)
            return;
        Span<PoolDemand> demands = _pools.Count <= 32 ? stackalloc PoolDemand[_pools.Count] : new PoolDemand[_pools.Count];
        Span<PoolDecision> decisions = _pools.Count <= 32 ? stackalloc PoolDecision[_pools.Count] : new PoolDecision[_pools.Count];
        for (var i = 0; i < _pools.Count; i++)
            demands[i] = _pools[i].Demand(now);
        PoolPolicy.Decide(demands, Settings.PerNode, decisions);
        for (var i = 0; i < decisions.Length; i++)
        {
            if (decisions[i].Start + decisions[i].Retire > 0)
                _pools[i].Apply(decisions[i], now);
        }
    }

    private void OnTimer()
    {
        _timer.Fired();
        var now = NodeTimer.Now;
        var due = Math.Min(Math.Min(Environment.OnTimer(now), Runtimes.OnTimer(now)), Interrupted.Answer(now));
        foreach (var pool in _pools)
            due = Math.Min(due, pool.OnTimer(now));
        if (_statusAt <= now)
        {
            _statusAt = long.MaxValue;
            _status.Write(afterResults: false);
            _trimAt = now + TrimMicroseconds;
        }
        else if (_trimAt <= now)
        {
            // Nothing happened since the last status: what a busy time took goes back, which the allocator keeps in its arenas otherwise.
            _trimAt = long.MaxValue;
            if (Table.Count == 0)
                _ = Libc.MallocTrim(0);
        }

        due = Math.Min(Math.Min(due, Math.Min(_statusAt, _trimAt)), Math.Min(_killAt, _endAt));
        if (due != long.MaxValue)
            Arm(due, now);
    }

    private void GoOnDraining(long now)
    {
        _inbox.ReturnWaiting();
        foreach (var pool in _pools)
            ReturnQueued(pool);
        if (_killAt <= now)
        {
            _killAt = long.MaxValue;
            _endAt = now + 1_500_000;
            Arm(_endAt, now);
            CutsOff = true;
            foreach (var pool in _pools)
                pool.End();
        }

        if (_endAt <= now)
            _exitCode ??= 0;
        if (Table.Count > 0 || !Outbox.Empty)
            return;
        if (!_saidLast)
            _status.Write(afterResults: false);
        else if (!Outbox.HasOutput)
            _exitCode ??= 0;
        _saidLast = true;
        Arm(now + LastWordMicroseconds, now);
    }

    private void ReturnQueued(OwnerPool pool)
    {
        while (pool.Queue.Last is var slot && slot >= 0)
        {
            pool.Queue.Remove(slot);
            Answers.Returned(slot);
        }
    }

    private void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(_wake, &one, sizeof(ulong));
    }

    private sealed class WakeHandler(int descriptor) : IPollHandler
    {
        public void OnReady(uint events)
        {
            ulong count;
            _ = Libc.Read(descriptor, &count, sizeof(ulong));
        }
    }

    private sealed class TimerHandler(Node node) : IPollHandler
    {
        public void OnReady(uint events) => node.OnTimer();
    }

    private sealed class SpawnerHandler(Node node) : IPollHandler
    {
        public void OnReady(uint events)
        {
            if (node._spawner.Receive())
                return;
            node._exitCode = Spawner.Died;
            node.ExitReason = $"the spawner (pid {node._spawner.Pid}), which makes and reaps all processes of this node, died";
            foreach (var pool in node._pools)
                pool.End();
        }
    }
}
