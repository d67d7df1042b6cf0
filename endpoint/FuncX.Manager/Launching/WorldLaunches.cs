using System.Collections;
using System.Globalization;
using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Interop;
using FuncX.Manager.Pools;
using FuncX.Manager.Spawning;
using FuncX.Manager.World;

namespace FuncX.Manager.Launching;

/// <summary>The launchers of worlds that run, as processes of the spawner's. The agent's thread owns it.</summary>
/// <param name="ended">Told of each launch that began how its launcher ended, in words, empty when it did as it should; and whether the world came to nothing, however long it took.</param>
internal sealed class WorldLaunches(ManagerOptions options, Spawner spawner, Action<World, string, bool> ended)
{
    private const int OrphansLookMilliseconds = 50;

    private readonly Dictionary<World, int> _pids = [];
    private readonly Dictionary<World, (WorldWatch Watch, WorldMarks Marks)> _watches = [];
    private readonly int _null = Libc.Open("/dev/null", Libc.O_RDWR);
    private bool _ending;

    public int Count => _pids.Count;

    /// <summary>Whether <see cref="Look"/> is to be called now and then.</summary>
    public bool AreWatched => _watches.Values.Any(static watched => watched.Watch.IsNeeded);

    public void Launch(World world, LaunchPlan plan)
    {
        var directory = Path.Combine(options.Directory, $"world-{world.Number.ToString(CultureInfo.InvariantCulture)}");
        var hosts = directory + ".hosts";
        var number = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            WorldReason.Forget(directory);
            var launch = new WorldLaunch
            {
                Nodes = world.Nodes,
                HostFile = hosts,
                Command = NodeCommand.Of(options, world, directory, number, plan),
                Arguments = plan.Arguments,
                Variables = [.. WorldLaunch.HandedOn.Where(static name => Environment.GetEnvironmentVariable(name) is not null)],
                CoresPerNode = plan.CoresPerNode,
                SlurmMpi = plan.SlurmMpi,
                IsRoot = FileOwnership.CurrentUser == 0,
            };
            File.WriteAllLines(hosts, plan.Launcher.HostLines(launch));
            if (!options.Tcp)
                Watch(world, new WorldMarks(directory, number), plan.Launcher);
            Start(world, plan.Launcher, launch, directory);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or FormatException or InvalidOperationException)
        {
            OnEnded(world, problem.Message);
        }
    }

    /// <summary>Looks after worlds where their launchers do not.</summary>
    /// <returns>Ranks that are gone, whose nodes are to go on without these worlds.</returns>
    public IReadOnlyList<(World World, LostRank Rank)> Look(long nowMilliseconds)
    {
        var lost = new List<(World, LostRank)>();
        foreach (var (world, (watch, marks)) in _watches)
        {
            // A launcher that has not begun yet could not be told to end, and would be taken for told.
            if (!watch.IsNeeded || _pids.GetValueOrDefault(world) is not (> 0 and var pid) || marks.Read() is not { } signs)
                continue;
            var verdict = watch.Look(signs, nowMilliseconds);
            if (verdict.Signal != 0)
                _ = Libc.Kill(pid, verdict.Signal);
            lost.AddRange(verdict.Lost.Select(rank => (world, rank)));
        }

        return lost;
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

    // One that has ended is reaped, and its number may be another's.
    private void Signal(int signal)
    {
        foreach (var pid in _pids.Values.Where(static pid => pid > 0 && ProcessTree.IsAlive(pid)))
            _ = Libc.Kill(pid, signal);
    }

    private void Watch(World world, WorldMarks marks, ILauncher launcher)
    {
        marks.Begin();
        _watches[world] = (new WorldWatch([.. world.Nodes], launcher.SparesSurvivors), marks);
    }

    private void Start(World world, ILauncher launcher, WorldLaunch launch, string directory)
    {
        var command = launcher.CommandLine(launch);
        List<string> environment = [];
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            environment.Add($"{variable.Key}={variable.Value}");
        var program = Spawn.Find(command[0], environment) ?? throw new InvalidOperationException($"the launcher '{command[0]}' is not there; PATH is {NodeEnvironment.Value(environment, "PATH")}");
        var temporary = NodeEnvironment.Value(environment, "TMPDIR") is { Length: > 0 } named ? named : "/tmp";
        if (launcher is MpirunLauncher)
        {
            OpenMpiSession.Prepare(Environment.MachineName, FileOwnership.CurrentUser, temporary);
            OpenMpiSession.RemoveLeftovers(Environment.MachineName, FileOwnership.CurrentUser, temporary, ProcessTree.IsAlive);
            command = [MpirunLauncher.CalledAs(command[0], program), .. command.Skip(1)];
        }

        _pids[world] = 0;
        spawner.Request(new SpawnRequest { Program = program, Arguments = command, Environment = environment, Directory = directory }, [_null, 1, 2], OnStarted, OnExited);

        void OnStarted(int pid)
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

        void OnExited(int code)
        {
            if (launcher is MpirunLauncher && _pids.TryGetValue(world, out var pid))
                OpenMpiSession.Remove(pid, FileOwnership.CurrentUser, temporary);
            var reason = "";
            var isDone = code == 0;
            if (_watches.TryGetValue(world, out var watched))
            {
                if (watched.Marks.Read() is { } signs)
                    _ = watched.Watch.Look(signs, NodeTimer.Now / 1_000);
                reason = watched.Watch.Reason;
                // Open MPI's launcher ends with 0 when the last of its ranks was killed: where ranks are spared only the leader's word counts.
                isDone = launcher.SparesSurvivors ? watched.Watch.IsDone : isDone && reason.Length == 0;
            }

            if (isDone)
            {
                OnEnded(world, "");
                return;
            }

            string[] words = [code >= 0 ? $"exit code {code}" : $"signal {-code}", reason, WorldReason.Read(directory)];
            OnEnded(world, string.Join(", ", words.Where(static word => word.Length > 0)));
        }
    }

    private void OnEnded(World world, string how)
    {
        _pids.Remove(world);
        var cameToNothing = _watches.Remove(world, out var watched) && watched.Watch.CameToNothing;
        ended(world, how, cameToNothing);
    }
}
