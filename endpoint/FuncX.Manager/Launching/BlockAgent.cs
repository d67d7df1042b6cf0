using System.Collections;
using System.Globalization;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Manager.Spawning;
using FuncX.Manager.World;

namespace FuncX.Manager.Launching;

/// <summary>
/// <c>funcx-manager --block</c>: what the job of a block starts. Launches the worlds on the job's nodes, launches again those that die, and ends everything it started. One thread
/// owns all of it; what other threads have to say waits in an inbox.
/// </summary>
internal sealed unsafe class BlockAgent
{
    private const long MicrosecondsPerMillisecond = 1000;

    // Ranks end their workers within three seconds; a launcher that is still there after this is killed with all below it.
    private const long EndMicroseconds = 10_000_000;

    private readonly ManagerOptions _options;
    private readonly IReadOnlyList<string> _nodes;
    private readonly Allocation? _allocation;
    private readonly Spawner _spawner;
    private readonly Poller _poller = new();
    private readonly NodeTimer _timer = new();
    private readonly Lock _gate = new();
    private readonly Queue<Action> _inbox = new();
    private readonly Dictionary<World, int> _launchers = [];
    private readonly int _wake;
    private readonly int _null;
    private WorldTable? _table;
    private ILauncher? _launcher;
    private BlockSettings _settings = new();
    private AgentStatus _said = new(-1, -1, [], "");
    private string? _slurmMpi;
    private BlockEnd? _end;
    private long _drainAt = long.MaxValue;
    private long _endAt = long.MaxValue;
    private string _note = "";
    private bool _draining;
    private bool _ending;
    private long _killAt = long.MaxValue;
    private int _code;
    private int? _exitCode;

    public BlockAgent(ManagerOptions options, Allocation? allocation, IReadOnlyList<string> nodes, Spawner spawner)
    {
        (_options, _allocation, _nodes, _spawner) = (options, allocation, nodes, spawner);
        Link = new AgentLink(this, options.Node.Length > 0 ? options.Node : Environment.MachineName);
        _null = Libc.Open("/dev/null", Libc.O_RDWR);
        _wake = Libc.EventFd(0, Libc.EFD_FLAGS);
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

    /// <summary>Ends all worlds, then the agent.</summary>
    public void End(int code, string reason) => Post(() =>
    {
        if (reason.Length > 0)
            Tell(reason);
        BeginEnding(code);
    });

    public void Report(string problem) => Post(() => Tell(problem));

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
        _settings = settings;
        var library = RankLibrary.Find();
        var choice = new LauncherChoice(LauncherProbe.Version);
        var kinds = _allocation?.Kind == AllocationKind.Slurm || settings.Launcher == "srun" ? LauncherProbe.Ask("srun", "--mpi=list") : null;
        _slurmMpi = SlurmMpi.Choose(library, kinds);
        var problem = settings.Arguments.Any(SrunLauncher.IsMpi) ? "" : SlurmMpi.Problem(library, kinds, static kind => LauncherProbe.Try("srun", "--overlap", "--nodes=1", "--ntasks=1", "--input=none", $"--mpi={kind}", "/bin/true"));
        if (problem.Length > 0)
            Tell(problem);
        _launcher = settings.Launcher is "" or "detect"
            ? choice.Detect(_allocation?.Kind, library?.IsOpenMpi ?? true, problem.Length == 0)
            : choice.Named(settings.Launcher);
        if (_launcher is null)
        {
            Tell(settings.Launcher is "" or "detect"
                ? $"no launcher of MPI programs was found: {choice.Tried}. Load the machine's MPI module in the block's script, or name one with launcher.type"
                : $"launcher '{settings.Launcher}' is none of mpirun, mpiexec, srun, aprun, pals");
            BeginEnding(BlockAgentProgram.NoLauncher);
            return;
        }

        _table = new WorldTable(_nodes, Math.Max(1, settings.RanksPerWorld), NowMilliseconds);
        Console.Error.WriteLine($"funcx-manager --block: {_nodes.Count} ranks in {_table.Worlds.Count()} worlds by {_launcher.Name}; the MPI library is {(library is null ? "not known" : $"{library.Path} ({library.Version})")}");
        FindEnd();
    }

    private void FindEnd()
    {
        var (now, ticks) = (DateTimeOffset.UtcNow, NodeTimer.Now);
        _end = BlockEnd.Find(_allocation, AskSlurm(), _options.Walltime, now);
        if (_end is null)
            return;
        (_drainAt, _endAt) = (ticks + (long)(_end.DrainAt - now).TotalMicroseconds, ticks + (long)(_end.EndAt - now).TotalMicroseconds);
        Console.Error.WriteLine($"funcx-manager --block: the job ends at {_end.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z; worlds take no more tasks from {_end.DrainAt.UtcDateTime:HH:mm:ss}Z on");
    }

    private SlurmJobView? AskSlurm() => _allocation is { Kind: AllocationKind.Slurm, JobId: var job } ? SlurmJobView.Ask(job) : null;

    private static long NowMilliseconds => NodeTimer.Now / MicrosecondsPerMillisecond;

    private void Decide(long now)
    {
        if (_table is not null && !_ending)
        {
            LookAtTime(now);
            while (!_draining && _table.TakeDue(now / MicrosecondsPerMillisecond) is { } world)
                Launch(world);
            if (_draining)
            {
                if (_launchers.Count == 0)
                    BeginEnding(0);
            }
            else if (_table.IsOver)
            {
                if (_table.GivenUp.Count > 0)
                    Tell($"no world of this block could be kept running on {string.Join(", ", _table.GivenUp)}: {_note}");
                BeginEnding(_table.GivenUp.Count > 0 ? BlockAgentProgram.NoWorld : 0);
            }
            else if (_table.NextDue is { } due)
            {
                _timer.Arm(due * MicrosecondsPerMillisecond, now);
            }
        }

        Say();
        if (!_ending)
            return;
        if (_launchers.Count == 0 || _killAt <= now)
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
            Tell($"the job ends at {_end!.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z: its worlds take no more tasks and finish what they have");
        }

        if (now >= _endAt)
            BeginEnding(0);
        var next = _draining ? _endAt : _drainAt;
        if (next != long.MaxValue && !_ending)
            _timer.Arm(next, now);
    }

    private void Say()
    {
        if (_table is null)
            return;
        var status = new AgentStatus(
            _table.Worlds.Count(static world => world.State == WorldState.Running), _table.Worlds.Count(static world => world.State == WorldState.Waiting), [.. _table.GivenUp], _note);
        if (status.WorldsRunning == _said.WorldsRunning && status.WorldsWaiting == _said.WorldsWaiting && status.NodesGivenUp.Length == _said.NodesGivenUp.Length && status.Note == _said.Note)
            return;
        _said = status;
        Link.Say(status);
    }

    private void Launch(World world)
    {
        var directory = Path.Combine(_options.Directory, $"world-{world.Number.ToString(CultureInfo.InvariantCulture)}");
        var hosts = directory + ".hosts";
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            WorldReason.Forget(directory);
            var launch = new WorldLaunch
            {
                Nodes = world.Nodes,
                HostFile = hosts,
                Command =
                [
                    .. SpawnerProgram.This, "--world", "--rendezvous", _options.Rendezvous, "--directory", directory, "--ranks", world.Nodes.Count.ToString(CultureInfo.InvariantCulture), .. DrainOptions(),
                    "--patience", _options.Patience.TotalSeconds.ToString(CultureInfo.InvariantCulture), "--start-limit", _options.StartLimit.TotalSeconds.ToString(CultureInfo.InvariantCulture),
                ],
                Arguments = _settings.Arguments,
                Variables = [.. ((string[])[NodeEnvironment.Umask, "FUNCX_MPI_LIBRARY"]).Where(static name => Environment.GetEnvironmentVariable(name) is not null)],
                CoresPerNode = _allocation?.CoresPerNode ?? Environment.ProcessorCount,
                SlurmMpi = _slurmMpi,
                IsRoot = FileOwnership.CurrentUser == 0,
            };
            File.WriteAllLines(hosts, _launcher!.HostLines(launch));
            Start(world, _launcher.CommandLine(launch), directory);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException or InvalidOperationException)
        {
            OnEnded(world, problem.Message);
        }
    }

    private string[] DrainOptions() => _end is { } end
        ? ["--drain-at", end.DrainAt.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture), "--drain-for", end.DrainFor.TotalSeconds.ToString(CultureInfo.InvariantCulture)]
        : [];

    private void Start(World world, IReadOnlyList<string> command, string directory)
    {
        List<string> environment = [];
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            environment.Add($"{variable.Key}={variable.Value}");
        var program = Spawn.Find(command[0], environment) ?? throw new InvalidOperationException($"the launcher '{command[0]}' is not there; PATH is {NodeEnvironment.Value(environment, "PATH")}");
        var temporary = NodeEnvironment.Value(environment, "TMPDIR") is { Length: > 0 } named ? named : "/tmp";
        if (_launcher is MpirunLauncher)
            OpenMpiSession.Prepare(Environment.MachineName, FileOwnership.CurrentUser, temporary);
        _launchers[world] = 0;
        _spawner.Request(new SpawnRequest { Program = program, Arguments = command, Environment = environment, Directory = directory }, [_null, 1, 2], OnStarted, OnExited);

        void OnStarted(int pid)
        {
            if (pid <= 0)
            {
                OnEnded(world, $"{program} could not be started: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(-pid)}");
                return;
            }

            _launchers[world] = pid;
            if (_ending)
                _ = Libc.Kill(pid, Libc.SIGTERM);
        }

        void OnExited(int code)
        {
            if (code < 0 && _launchers.TryGetValue(world, out var pid))
                OpenMpiSession.Remove(pid, FileOwnership.CurrentUser, temporary);
            var why = code == 0 ? "" : WorldReason.Read(directory);
            OnEnded(world, (code == 0 ? "" : code > 0 ? $"exit code {code}" : $"signal {-code}") + (why.Length > 0 ? $", {why}" : ""));
        }
    }

    private void OnEnded(World world, string how)
    {
        _launchers.Remove(world);
        if (how.Length == 0 || _ending || _draining)
        {
            _table!.OnDone(world);
            return;
        }

        ForgetLostNodes();
        _table!.OnEnded(world, how, NowMilliseconds);
        var more = world.Nodes.Distinct(StringComparer.Ordinal).Count() - 1;
        _note = $"world {world.Number} on {(world.Nodes.Count > 0 ? world.Nodes[0] : "no node")}{(more > 0 ? $" and {more} others" : "")} ended: {how}";
        Console.Error.WriteLine($"funcx-manager --block: {_note}");
    }

    // A job that goes on without a node that died (--no-kill) is the only one that can lose some and live.
    private void ForgetLostNodes()
    {
        if (AskSlurm() is not { } view)
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
        foreach (var pid in _launchers.Values)
        {
            if (pid > 0)
                _ = Libc.Kill(pid, Libc.SIGTERM);
        }
    }

    private void OnSpawner()
    {
        if (_spawner.Receive())
            return;
        Tell($"the spawner (pid {_spawner.Pid}), which makes and reaps all processes of this agent, died");
        _exitCode = 71;
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
