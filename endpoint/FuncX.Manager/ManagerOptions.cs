using System.Globalization;
using FuncX.Manager.Pools;

namespace FuncX.Manager;

/// <summary>The command line.</summary>
internal sealed record ManagerOptions
{
    public const string Usage = """
        usage: funcx-manager --rendezvous FILE --node NAME --directory DIR [--walltime SECONDS | --drain-at TIME --drain-for SECONDS] [--patience SECONDS] [--start-limit SECONDS]
               funcx-manager --block [--tcp] --rendezvous FILE --directory DIR [--hosts LIST] [--walltime SECONDS] [--patience SECONDS] [--start-limit SECONDS]
               funcx-manager --world --rendezvous FILE --directory DIR [--ranks N] [--launch N] [--leader-only] [--drain-at TIME --drain-for SECONDS] [--patience SECONDS] [--start-limit SECONDS]
               funcx-manager --mpi-library | --nodes | --version
        """;

    private static readonly string[] s_values = ["--rendezvous", "--node", "--directory", "--patience", "--start-limit", "--ranks", "--launch", "--hosts", "--walltime", "--drain-at", "--drain-for"];

    private static readonly string[] s_ofBlock = ["--hosts", "--tcp"];
    private static readonly string[] s_notOfBlock = ["--drain-at", "--drain-for"];
    private static readonly string[] s_notOfWorld = ["--node", "--walltime"];
    private static readonly string[] s_ofWorld = ["--ranks", "--launch", "--leader-only"];

    /// <summary>This process is a rank of an MPI program.</summary>
    public bool World { get; init; }

    /// <summary>This process launches the worlds of a block.</summary>
    public bool Block { get; init; }

    /// <summary>What is launched on the block's nodes are managers that dial the endpoint themselves, and no ranks.</summary>
    public bool Tcp { get; init; }

    /// <summary>The nodes of the block, one rank each, as Slurm writes lists of them; empty: those of the job that it runs in.</summary>
    public string Hosts { get; init; } = "";

    /// <summary>How long the block's job lasts from now on, where the job does not tell; null: not known.</summary>
    public TimeSpan? Walltime { get; init; }

    /// <summary>When the world is to take no more tasks and finish what it has; null: when it is told to.</summary>
    public DateTimeOffset? DrainAt { get; init; }

    /// <summary>How long running tasks may take then.</summary>
    public TimeSpan DrainFor { get; init; }

    /// <summary>Rank 0 keeps no workers.</summary>
    public bool LeaderOnly { get; init; }

    /// <summary>How many ranks the world must have; 0: as many as there are.</summary>
    public int Ranks { get; init; }

    /// <summary>Which launch of the world by its agent this is, a number that no other launch has; 0: no agent launched it.</summary>
    public long Launch { get; init; }

    public required string Rendezvous { get; init; }

    public required string Node { get; init; }

    /// <summary>Working directories of workers lie below it.</summary>
    public required string Directory { get; init; }

    /// <summary>How long it lives without an endpoint.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>How long a start of workers may take.</summary>
    public TimeSpan StartLimit { get; init; } = StartWatch.DefaultLimit;

    /// <summary>Reads the arguments; null and a reason when they are wrong.</summary>
    public static ManagerOptions? Parse(string[] arguments, out string problem)
    {
        problem = "";
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Length; i += 2)
        {
            if (arguments[i] is "--world" or "--block" or "--leader-only" or "--tcp")
            {
                values[arguments[i--]] = "";
                continue;
            }

            if (!s_values.Contains(arguments[i]))
            {
                problem = $"'{arguments[i]}' is not an option";
                return null;
            }

            if (i + 1 == arguments.Length)
            {
                problem = $"{arguments[i]} needs a value";
                return null;
            }

            values[arguments[i]] = arguments[i + 1];
        }

        // A rank's node is what MPI calls it.
        var (world, block) = (values.ContainsKey("--world"), values.ContainsKey("--block"));
        if (world && block)
        {
            problem = "--world and --block exclude each other";
            return null;
        }

        foreach (var name in (string[])[.. world ? s_notOfWorld : s_ofWorld, .. block ? s_notOfBlock : s_ofBlock])
        {
            if (!values.ContainsKey(name))
                continue;
            problem = name switch
            {
                "--node" => $"{name} is not for a rank of a world, whose name is MPI's",
                "--walltime" => $"{name} is not for a rank of a world, which is told with --drain-at",
                "--drain-at" or "--drain-for" => $"{name} is not for --block, which knows its job's end or is told with --walltime",
                _ => s_ofBlock.Contains(name) ? $"{name} is for --block" : $"{name} is for --world",
            };
            return null;
        }

        foreach (var name in (string[])(world || block ? ["--rendezvous", "--directory"] : ["--rendezvous", "--node", "--directory"]))
        {
            if (values.ContainsKey(name))
                continue;
            problem = $"{name} is missing";
            return null;
        }

        if (!TryReadSeconds(values, "--patience", 0, 600, out var patience, ref problem)
            || !TryReadSeconds(values, "--start-limit", 0.1, StartWatch.DefaultLimit.TotalSeconds, out var startLimit, ref problem)
            || !TryReadSeconds(values, "--walltime", 1, 0, out var walltime, ref problem)
            || !TryReadSeconds(values, "--drain-for", 0, 0, out var drainFor, ref problem)
            || !TryReadTime(values, "--drain-at", out var drainAt, ref problem))
        {
            return null;
        }

        if (!TryReadNumber(values, "--ranks", int.MaxValue, out var ranks, ref problem) || !TryReadNumber(values, "--launch", long.MaxValue, out var launch, ref problem))
            return null;

        return new ManagerOptions
        {
            World = world,
            Block = block,
            Tcp = values.ContainsKey("--tcp"),
            Hosts = values.GetValueOrDefault("--hosts", ""),
            Walltime = walltime > 0 ? TimeSpan.FromSeconds(walltime) : null,
            DrainAt = drainAt,
            DrainFor = TimeSpan.FromSeconds(drainFor),
            LeaderOnly = values.ContainsKey("--leader-only"),
            Ranks = (int)ranks,
            Launch = launch,
            Rendezvous = Path.GetFullPath(values["--rendezvous"]),
            Node = values.GetValueOrDefault("--node", ""),
            Directory = Path.GetFullPath(values["--directory"]),
            Patience = TimeSpan.FromSeconds(patience),
            StartLimit = TimeSpan.FromSeconds(startLimit),
        };
    }

    private static bool TryReadNumber(Dictionary<string, string> values, string name, long most, out long number, ref string problem)
    {
        number = 0;
        if (!values.TryGetValue(name, out var text) || (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= 1 && number <= most))
            return true;
        problem = $"{name} is '{text}'; it must be a number, 1 or more";
        return false;
    }

    private static bool TryReadTime(Dictionary<string, string> values, string name, out DateTimeOffset? time, ref string problem)
    {
        time = null;
        if (!values.TryGetValue(name, out var text))
            return true;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= uint.MaxValue)
        {
            time = DateTimeOffset.FromUnixTimeSeconds(seconds);
            return true;
        }

        problem = $"{name} is '{text}'; it must be a Unix time in seconds";
        return false;
    }

    private static bool TryReadSeconds(Dictionary<string, string> values, string name, double least, double otherwise, out double seconds, ref string problem)
    {
        seconds = otherwise;
        if (!values.TryGetValue(name, out var text)
            || (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out seconds) && seconds >= least && seconds <= 1e8))
        {
            return true;
        }

        problem = $"{name} is '{text}'; it must be seconds, {least.ToString(CultureInfo.InvariantCulture)} or more";
        return false;
    }
}
