using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Spawning;
using FuncX.Manager.World;

namespace FuncX.Manager.Launching;

/// <summary>
/// <c>funcx-manager --block</c>: what the job of a block starts. Launches the worlds on the job's nodes, launches again those that die, and ends everything it started. With
/// <c>--tcp</c> what it launches is a manager on each node that dials the endpoint itself, each by a launcher of its own. One thread owns all of it and does what is due at its time; what other
/// threads have to say waits in an inbox, and what may hang once worlds run is done elsewhere (<see cref="SlowWork"/>).
/// </summary>
internal sealed unsafe class BlockAgent
{
    private const long MicrosecondsPerMillisecond = 1000;

    // Ranks end their workers within three seconds; a launcher that is still there after this is killed with all below it.
    private const long EndMicroseconds = 10_000_000;

    private const long LookMicroseconds = 1_000_000;

    private readonly ManagerOptions _options;
    private readonly IReadOnlyList<string> _nodes;
    private readonly Allocation? _allocation;
    private readonly Spawner _spawner;
    private readonly Poller _poller = new();
    private readonly NodeTimer _timer = new();
    private readonly Lock _gate = new();
    private readonly Queue<Action> _inbox = new();
    private readonly SlowWork _slow;
    private readonly WorldLaunches _launches;
    private readonly int _wake;
    private WorldTable? _table;
    private LaunchPlan? _plan;
    private AgentStatus _said = new(-1, -1, [], "");
    private long _drainAt = long.MaxValue;
    private long _endAt = long.MaxValue;
    private string _note = "";
    private bool _draining;
    private bool _ending;
    private long _lookAt;
    private long _killAt = long.MaxValue;
    private int _code;
    private int? _exitCode;

    public BlockAgent(ManagerOptions options, Allocation? allocation, IReadOnlyList<string> nodes, Spawner spawner)
    {
        (_options, _allocation, _nodes, _spawner) = (options, allocation, nodes, spawner);
        Link = new AgentLink(this, options.Node.Length > 0 ? options.Node : Environment.MachineName);
        _wake = Libc.EventFd(0, Libc.EFD_FLAGS);
        _slow = new SlowWork(Post);
        _launches = new WorldLaunches(options, spawner, _slow, OnEnded, OnRankLost);
        _ = _poller.Add(_wake, Libc.EPOLLIN, new Handler(() => Drain(_wake)));
        _ = _poller.Add(_timer.Descriptor, Libc.EPOLLIN, new Handler(_timer.Fired));
        _ = _poller.Add(spawner.Socket, Libc.EPOLLIN, new Handler(OnSpawner));
    }

    public AgentLink Link { get; }

    /// <summary>Until the block is over; the result is the exit code.</summary>
    public int Run()
    {
        while (true)
        {
            var count = _poller.Wait();
            _poller.Dispatch(count);
            while (TakeNews() is { } news)
                news();
            Decide(NodeTimer.Now);
            if (_exitCode is { } code)
                return code;
        }
    }

    /// <summary>The endpoint has said how; what it says first holds.</summary>
    public void OnWelcome(BlockSettings settings) => Post(() =>
    {
        Prepare(settings);
        _said = new AgentStatus(-1, -1, [], "");
    });

    /// <summary>The endpoint has heard when the job ends; worlds that run are told by it, too.</summary>
    /// <param name="microseconds">Unix.</param>
    public void OnJobEnds(long microseconds) => Post(() =>
    {
        if (_plan?.End is { } known && !_draining && known.Prolonged(microseconds, DateTimeOffset.UtcNow) is var end && !ReferenceEquals(end, known))
            Keep(end);
    });

    /// <summary>Ends all worlds, then the agent.</summary>
    public void End(int code, string reason) => Post(() =>
    {
        if (reason.Length > 0)
            Tell(reason);
        BeginEnding(code);
    });

    private static void Drain(int descriptor)
    {
        ulong count;
        _ = Libc.Read(descriptor, &count, sizeof(ulong));
    }

    private void Post(Action news)
    {
        lock (_gate)
            _inbox.Enqueue(news);
        ulong one = 1;
        _ = Libc.Write(_wake, &one, sizeof(ulong));
    }

    private Action? TakeNews()
    {
        lock (_gate)
            return _inbox.TryDequeue(out var news) ? news : null;
    }

    private void Prepare(BlockSettings settings)
    {
        if (_table is not null || _ending)
            return;
        var planner = new LaunchPlanner(_allocation, _nodes.Count, LauncherProbe.Version, Tell);
        var plan = _options.Tcp ? planner.Managers() : planner.Worlds(settings);
        if (plan is null)
        {
            BeginEnding(BlockAgentProgram.NoLauncher);
            return;
        }

        _plan = plan;
        FindEnd();
        _table = new WorldTable(_nodes, _options.Tcp ? 1 : Math.Max(1, settings.RanksPerWorld), NowMilliseconds) { OfManagers = _options.Tcp };
    }

    private void FindEnd()
    {
        if (BlockEnd.Find(_allocation, AskSlurm(), _options.Walltime, DateTimeOffset.UtcNow) is { } end)
            Keep(end);
    }

    private void Keep(BlockEnd end)
    {
        var (now, ticks) = (DateTimeOffset.UtcNow, NodeTimer.Now);
        _plan = _plan! with { End = end };
        (_drainAt, _endAt) = (ticks + (long)(end.DrainAt - now).TotalMicroseconds, ticks + (long)(end.EndAt - now).TotalMicroseconds);
        Console.Error.WriteLine($"funcx-manager --block: the job ends at {end.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z; {What}s take no more tasks from {end.DrainAt.UtcDateTime:HH:mm:ss}Z on");
    }

    private string What => _options.Tcp ? "manager" : "world";

    private SlurmJobView? AskSlurm() => _allocation is { Kind: AllocationKind.Slurm, JobId: var job } ? SlurmJobView.Ask(job) : null;

    private static long NowMilliseconds => NodeTimer.Now / MicrosecondsPerMillisecond;

    private void Decide(long now)
    {
        if (_table is not null && !_ending)
        {
            LookAtTime(now);
            LookAfterWorlds(now);
            while (!_draining && _table.TakeDue(now / MicrosecondsPerMillisecond) is { } world)
                _launches.Launch(world, _plan!);
            if (_draining)
            {
                if (_launches.Count == 0)
                    BeginEnding(0);
            }
            else if (_table.IsOver)
            {
                if (_table.GivenUp.Count > 0)
                    Tell($"no {What} of this block could be kept running on {string.Join(", ", _table.GivenUp)}: {_table.LastEnd}");
                BeginEnding(_table.GivenUp.Count > 0 ? BlockAgentProgram.NoWorld : 0);
            }
            else if ((_table.NextDue ?? _table.PastAt) is { } due && due * MicrosecondsPerMillisecond > now)
            {
                _timer.Arm(due * MicrosecondsPerMillisecond, now);
            }
        }

        Say(now);
        if (!_ending)
            return;
        if (_launches.Count == 0 || _killAt <= now)
            _exitCode = _code;
        else
            _timer.Arm(_killAt, now);
    }

    // Worlds drain by themselves, since a leader is told when it is launched; here nothing is launched any more, and what has not ended is told to.
    private void LookAtTime(long now)
    {
        if (!_draining && now >= _drainAt)
        {
            _draining = true;
            Tell($"the job ends at {_plan!.End!.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z: its {What}s take no more tasks and finish what they have");
        }

        if (now >= _endAt)
            BeginEnding(0);
        var next = _draining ? _endAt : _drainAt;
        if (next != long.MaxValue && !_ending)
            _timer.Arm(next, now);
    }

    private void LookAfterWorlds(long now)
    {
        if (now >= _lookAt)
        {
            _launches.Look();
            _lookAt = now + LookMicroseconds;
        }

        // What is launched in this turn is looked at in the next.
        if (_launches.AreWatched || _table!.NextDue is not null)
            _timer.Arm(_lookAt, now);
    }

    private void OnRankLost(World world, LostRank rank)
    {
        if (!_draining && _table!.OnRankLost(world, rank.Node, $"rank {rank.Rank} of world {world.Number} on {rank.Node} was killed", NowMilliseconds) is not null)
            Console.Error.WriteLine($"funcx-manager --block: {_table.LastEnd}");
    }

    private void Say(long now)
    {
        if (_table is null)
            return;
        // How a world ended is said until it has run again for a while; what the agent has to say of its own end goes before that.
        var end = _draining || _ending ? "" : _table.Note(now / MicrosecondsPerMillisecond);
        // Managers that dial for themselves are no worlds.
        var status = new AgentStatus(
            _options.Tcp ? 0 : _table.Worlds.Count(static world => world.State == WorldState.Running), _options.Tcp ? 0 : _table.Worlds.Count(static world => world.State == WorldState.Waiting),
            [.. _table.GivenUp], end.Length > 0 ? end : _note);
        if (status.WorldsRunning == _said.WorldsRunning && status.WorldsWaiting == _said.WorldsWaiting && status.NodesGivenUp.Length == _said.NodesGivenUp.Length && status.Note == _said.Note)
            return;
        _said = status;
        Link.Say(status);
    }

    private void OnEnded(World world, string how, bool cameToNothing)
    {
        if (how.Length == 0 || _ending || _draining)
        {
            _table!.OnDone(world);
            return;
        }

        var at = NowMilliseconds;
        _slow.Begin(() =>
        {
            var view = AskSlurm();
            return () => Relaunch(world, how, cameToNothing, at, view);
        });
    }

    private void Relaunch(World world, string how, bool cameToNothing, long endedAt, SlurmJobView? view)
    {
        if (_ending || _draining)
        {
            _table!.OnDone(world);
            return;
        }

        ForgetLostNodes(view);
        _table!.OnEnded(world, how, endedAt, cameToNothing);
        Console.Error.WriteLine($"funcx-manager --block: {_table.LastEnd}");
    }

    // A job that goes on without a node that died (--no-kill) is the only one that can lose some and live.
    private void ForgetLostNodes(SlurmJobView? view)
    {
        if (view is null)
            return;
        foreach (var node in _nodes.Distinct(StringComparer.Ordinal).Except(view.Nodes, StringComparer.Ordinal))
        {
            if (_table!.OnNodeLost(node))
                Console.Error.WriteLine($"funcx-manager --block: Slurm has taken node {node} out of the job; worlds are launched without it");
        }
    }

    private void BeginEnding(int code)
    {
        if (_ending)
            return;
        (_ending, _code) = (true, code);
        _killAt = NodeTimer.Now + EndMicroseconds;
        _launches.End();
    }

    private void OnSpawner()
    {
        if (_spawner.Receive())
            return;
        Tell($"the spawner (pid {_spawner.Pid}), which makes and reaps all processes of this agent, died");
        // Nobody else ends them, and another block would begin beside them.
        _launches.EndOrphans(TimeSpan.FromMicroseconds(EndMicroseconds));
        _exitCode = Spawner.Died;
    }

    private void Tell(string text)
    {
        _note = text;
        Console.Error.WriteLine($"funcx-manager --block: {text}");
    }

    private sealed class Handler(Action act) : IPollHandler
    {
        public void OnReady(uint events) => act();
    }
}
