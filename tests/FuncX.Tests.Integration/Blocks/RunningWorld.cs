namespace FuncX.Tests.Integration.Blocks;

/// <summary>An MPI world of a cluster, as its processes show it.</summary>
/// <param name="Name">The last part of its directory: <c>world-1</c>.</param>
/// <param name="Launcher">The mpirun or mpiexec that its agent started.</param>
/// <param name="Ranks">In MPI's order: the first is the leader.</param>
internal sealed record RunningWorld(string Name, ProcessIdentity Launcher, IReadOnlyList<ProcessIdentity> Ranks)
{
    public ProcessIdentity Leader => Ranks[0];

    public IEnumerable<ProcessIdentity> Processes => [Launcher, .. Ranks];

    /// <summary>The worlds that are there completely, by name.</summary>
    public static IReadOnlyList<RunningWorld> Of(LocalCluster cluster, int ranks)
    {
        var entries = ProcessTable.Mentioning(cluster.Endpoint.StateDirectory)
            .Select(static entry => (Entry: entry, entry.Arguments))
            .Where(static found => found.Arguments.Contains("--world"))
            .ToList();
        var worlds = new List<RunningWorld>();
        foreach (var world in entries.GroupBy(static found => NameOf(found.Arguments)).OrderBy(static world => world.Key, StringComparer.Ordinal))
        {
            var byRank = world
                .Where(static found => Path.GetFileName(found.Arguments[0]) == "funcx-manager")
                .Select(static found => (found.Entry, Rank: RankOf(found.Entry.Pid)))
                .Where(found => found.Rank is not null && world.All(other => other.Entry.Pid != found.Entry.Parent || IsLauncher(other.Arguments)))
                .OrderBy(static found => found.Rank)
                .Select(static found => found.Entry.Identity)
                .ToList();
            // What a launcher has just forked shows the launcher's arguments.
            var launchers = world.Where(found => IsLauncher(found.Arguments) && world.All(other => other.Entry.Pid != found.Entry.Parent)).ToList();
            if (launchers is [var launcher] && byRank.Count == ranks)
                worlds.Add(new RunningWorld(world.Key, launcher.Entry.Identity, byRank));
        }

        return worlds;
    }

    /// <summary>The agent of the one block.</summary>
    public static ProcessIdentity AgentOf(LocalCluster cluster) => cluster.Endpoint.Managers().Single(static entry => entry.Arguments.Contains("--block")).Identity;

    /// <summary>What makes and ends the processes of an agent or a rank.</summary>
    public static ProcessIdentity SpawnerOf(ProcessIdentity manager) => ProcessTable.Read().Single(entry => entry.Parent == manager.Pid && entry.Arguments.Contains("--spawner")).Identity;

    /// <summary>What the launcher and the ranks keep on the machine, that could be left there: Open MPI's session, and shared memory that has a name.</summary>
    public IReadOnlyList<string> Files() =>
    [
        .. Directory.EnumerateDirectories(Path.GetTempPath(), "ompi.*").Select(sessions => Path.Combine(sessions, $"pid.{Launcher.Pid}")).Where(Directory.Exists),
        .. Ranks.SelectMany(static rank => File.ReadLines($"/proc/{rank.Pid}/maps"))
            .Select(static line => line.IndexOf("/dev/shm/", StringComparison.Ordinal) is var at and >= 0 ? line[at..] : "")
            .Where(File.Exists)
            .Distinct(),
    ];

    public bool IsSameAs(RunningWorld other) => Processes.SequenceEqual(other.Processes);

    private static bool IsLauncher(IReadOnlyList<string> arguments) => Path.GetFileName(arguments[0]).StartsWith("mpi", StringComparison.Ordinal);

    private static string NameOf(IReadOnlyList<string> arguments) => Path.GetFileName(arguments[arguments.ToList().IndexOf("--directory") + 1]);

    private static int? RankOf(int pid) =>
        int.TryParse(ProcessTable.Variable(pid, "OMPI_COMM_WORLD_RANK") ?? ProcessTable.Variable(pid, "PMI_RANK"), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var rank) ? rank : null;
}
