using System.Collections;
using System.Globalization;
using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Interop;
using FuncX.Manager.Pools;
using FuncX.Manager.Spawning;
using FuncX.Manager.World;

namespace FuncX.Manager.Launching;

/// <summary>The launchers of worlds that run, as processes of the spawner's. The agent's thread owns it, and waits for no file.</summary>
/// <param name="ended">Told of each launch that began how its launcher ended, in words, empty when it did as it should; and whether the world came to nothing, however long it took.</param>
/// <param name="lost">Told of ranks that are gone, whose nodes are to go on without these worlds.</param>
internal sealed class WorldLaunches(ManagerOptions options, Spawner spawner, SlowWork slow, Action<World, string, bool> ended, Action<World, LostRank> lost)
{
    private const int OrphansLookMilliseconds = 50;

    private readonly Dictionary<World, int> _pids = [];
    private readonly Dictionary<World, (WorldWatch Watch, WorldMarks Marks)> _watches = [];
    private readonly int _null = Libc.Open("/dev/null", Libc.O_RDWR);
    private bool _looking;
    private bool _ending;

    /// <summary>Launchers that run, or are about to.</summary>
    public int Count => _pids.Count;

    /// <summary>Whether <see cref="Look"/> is to be called now and then.</summary>
    public bool AreWatched => _watches.Values.Any(static watched => watched.Watch.IsNeeded);

    public void Launch(World world, LaunchPlan plan)
    {
        var directory = Path.Combine(options.Directory, $"world-{world.Number.ToString(CultureInfo.InvariantCulture)}");
        var number = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var launch = new WorldLaunch
        {
            Nodes = world.Nodes,
            HostFile = directory + ".hosts",
            Command = NodeCommand.Of(options, world, directory, number, plan),
            Arguments = plan.Arguments,
            Variables = [.. WorldLaunch.HandedOn.Where(static name => Environment.GetEnvironmentVariable(name) is not null)],
            CoresPerNode = plan.CoresPerNode,
            SlurmMpi = plan.SlurmMpi,
            IsRoot = FileOwnership.CurrentUser == 0,
        };
        var marks = options.Tcp ? null : new WorldMarks(directory, number);
        _pids[world] = 0;
        slow.Begin(() =>
        {
            try
            {
                Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                WorldReason.Forget(directory);
                File.WriteAllLines(launch.HostFile, plan.Launcher.HostLines(launch));
                marks?.Begin();
                var request = Request(plan.Launcher, launch, directory);
                return () => Start(world, plan.Launcher, request, marks);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException or InvalidOperationException)
            {
                return () => OnEnded(world, problem.Message);
            }
        });
    }

    /// <summary>Looks after worlds where their launchers do not, unless the last look is not over.</summary>
    public void Look()
    {
        // A launcher that has not begun yet could not be told to end, and would be taken for told.
        List<(World World, WorldMarks Marks)> watched = [.. _watches.Where(pair => pair.Value.Watch.IsNeeded && Runs(pair.Key)).Select(static pair => (pair.Key, pair.Value.Marks))];
        if (_looking || watched.Count == 0)
            return;
        _looking = true;
        slow.Begin(() =>
        {
            var seen = watched.ConvertAll(static one => (one.World, one.Marks, Signs: one.Marks.Read()));
            return () =>
            {
                _looking = false;
                foreach (var (world, marks, signs) in seen)
                {
                    if (signs is not null)
                        OnSigns(world, marks, signs);
                }
            };
        });
    }

    /// <summary>Ends all, also those that are about to begin.</summary>
    public void End()
    {
        _ending = true;
        Signal(Libc.SIGTERM);
    }

    /// <summary>Ends all without the spawner, who would tell of their end and kill what is left of them. Waits until they have.</summary>
    /// <param name="patience">How long they may take until they are killed.</param>
    public void EndOrphans(TimeSpan patience)
    {
        End();
        var stop = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (_pids.Values.Any(ProcessTree.IsAlive) && Environment.TickCount64 < stop)
            Thread.Sleep(OrphansLookMilliseconds);
        Signal(Libc.SIGKILL);
    }

    // TMPDIR of an mpirun, where its session lies.
    private static string Temporary => Environment.GetEnvironmentVariable("TMPDIR") is { Length: > 0 } named ? named : "/tmp";

    private bool Runs(World world) => _pids.GetValueOrDefault(world) > 0;

    // One that has ended is reaped, and its number may be another's.
    private void Signal(int signal)
    {
        foreach (var pid in _pids.Values.Where(static pid => pid > 0 && ProcessTree.IsAlive(pid)))
            _ = Libc.Kill(pid, signal);
    }

    private static SpawnRequest Request(ILauncher launcher, WorldLaunch launch, string directory)
    {
        var command = launcher.CommandLine(launch);
        List<string> environment = [];
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            environment.Add($"{variable.Key}={variable.Value}");
        var program = Spawn.Find(command[0], environment) ?? throw new InvalidOperationException($"the launcher '{command[0]}' is not there; PATH is {NodeEnvironment.Value(environment, "PATH")}");
        if (launcher is MpirunLauncher)
        {
            OpenMpiSession.Prepare(Environment.MachineName, FileOwnership.CurrentUser, Temporary);
            OpenMpiSession.RemoveLeftovers(Environment.MachineName, FileOwnership.CurrentUser, Temporary, ProcessTree.IsAlive);
            command = [MpirunLauncher.CalledAs(command[0], program), .. command.Skip(1)];
        }

        return new SpawnRequest { Program = program, Arguments = command, Environment = environment, Directory = directory };
    }

    private void Start(World world, ILauncher launcher, SpawnRequest request, WorldMarks? marks)
    {
        if (_ending)
        {
            OnEnded(world, "");
            return;
        }

        if (marks is not null)
            _watches[world] = (new WorldWatch([.. world.Nodes], launcher.SparesSurvivors), marks);
        try
        {
            spawner.Request(request, [_null, 1, 2], pid => OnStarted(world, request.Program, pid), code => OnExited(world, launcher, request.Directory, code));
        }
        catch (InvalidOperationException problem)
        {
            OnEnded(world, problem.Message);
        }
    }

    private void OnStarted(World world, string program, int pid)
    {
        if (pid <= 0)
        {
            OnEnded(world, $"{program} could not be started: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(-pid)}");
            return;
        }

        _pids[world] = pid;
        if (_ending)
            _ = Libc.Kill(pid, Libc.SIGTERM);
    }

    // From here on nothing of it runs, whenever its ranks' last words are read.
    private void OnExited(World world, ILauncher launcher, string directory, int code)
    {
        if (_pids.Remove(world, out var pid) && launcher is MpirunLauncher)
            OpenMpiSession.Remove(pid, FileOwnership.CurrentUser, Temporary);
        if (_ending)
        {
            OnEnded(world, "");
            return;
        }

        var marks = _watches.GetValueOrDefault(world).Marks;
        slow.Begin(() =>
        {
            var (signs, reason) = (marks?.Read(), WorldReason.Read(directory));
            return () => OnEnded(world, HowItEnded(world, launcher, code, signs, reason));
        });
    }

    private string HowItEnded(World world, ILauncher launcher, int code, WorldSigns? signs, string last)
    {
        var reason = "";
        var isDone = code == 0;
        if (_watches.TryGetValue(world, out var watched))
        {
            if (signs is not null)
                _ = watched.Watch.Look(signs, NodeTimer.Now / 1_000);
            reason = watched.Watch.Reason;
            // Open MPI's launcher ends with 0 when the last of its ranks was killed: where ranks are spared only the leader's word counts.
            isDone = launcher.SparesSurvivors ? watched.Watch.IsDone : isDone && reason.Length == 0;
        }

        if (isDone)
            return "";
        string[] words = [code >= 0 ? $"exit code {code}" : $"signal {-code}", reason, last];
        return string.Join(", ", words.Where(static word => word.Length > 0));
    }

    private void OnSigns(World world, WorldMarks marks, WorldSigns signs)
    {
        // It may have ended meanwhile, and begun again.
        if (!Runs(world) || !_watches.TryGetValue(world, out var watched) || watched.Marks != marks)
            return;
        var verdict = watched.Watch.Look(signs, NodeTimer.Now / 1_000);
        if (verdict.Signal != 0)
            _ = Libc.Kill(_pids[world], verdict.Signal);
        foreach (var rank in verdict.Lost)
            lost(world, rank);
    }

    private void OnEnded(World world, string how)
    {
        _pids.Remove(world);
        var cameToNothing = _watches.Remove(world, out var watched) && watched.Watch.CameToNothing;
        ended(world, how, cameToNothing);
    }
}
