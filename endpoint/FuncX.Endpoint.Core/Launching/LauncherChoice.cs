namespace FuncX.Endpoint.Core.Launching;

/// <summary>
/// Which of the programs of a machine starts MPI ranks, by what they say they are. A block's agent goes by this, and the doctor that says beforehand what the agent will find. Launchers are
/// called as in <c>launcher.type</c>: mpirun, mpiexec, srun, aprun, pals.
/// </summary>
/// <param name="version">What a program prints when it is asked for its version; null: it is not there.</param>
public sealed class LauncherChoice(Func<string, string?> version)
{
    /// <summary>None is needed: what is to be started is started on this node.</summary>
    public const string OwnNode = "none";

    private readonly Dictionary<string, string?> _answers = new(StringComparer.Ordinal);

    /// <summary>What was looked for and found so far, for people.</summary>
    public string Tried => string.Join("; ", _answers.Select(static asked => asked.Value is null ? $"{asked.Key} is not there" : $"{asked.Key} says '{asked.Value.Split('\n')[0].Trim()}'"));

    /// <summary>The program that a launcher is on this machine; null: it is not there, or nothing is called so.</summary>
    public string? ProgramOf(string launcher) => launcher switch
    {
        // With two MPIs on a machine only one of them has the plain name.
        "mpirun" => First(IsOpenMpi, "mpirun", "mpirun.openmpi"),
        "mpiexec" => First(IsHydra, "mpiexec", "mpiexec.hydra"),
        "srun" or "aprun" => First(static text => text is not null, launcher),
        "pals" => First(IsPals, "mpiexec"),
        _ => null,
    };

    /// <summary>The scheduler's own within its job, else the one that came with the MPI library that the ranks will load.</summary>
    /// <param name="allocation">Of which scheduler this job is, or may be; empty: of none.</param>
    /// <param name="isOpenMpi">Whether the library is Open MPI's.</param>
    /// <param name="srunServes">False: by this srun the library's ranks cannot find each other; it is the last resort then.</param>
    /// <returns>Null: there is none; <see cref="Tried"/> says what was looked for.</returns>
    public string? Detect(IReadOnlyCollection<AllocationKind> allocation, bool isOpenMpi, bool srunServes = true)
    {
        var hasSrun = allocation.Contains(AllocationKind.Slurm) && ProgramOf("srun") is not null;
        if (hasSrun && srunServes)
            return "srun";
        var byLibrary = isOpenMpi ? (string[])["mpirun", "mpiexec"] : ["mpiexec", "mpirun"];
        var hasAprun = allocation.Contains(AllocationKind.Cobalt) || allocation.Contains(AllocationKind.Pbs);
        return (hasAprun ? (string[])["aprun", "pals", .. byLibrary] : ["pals", .. byLibrary]).FirstOrDefault(launcher => ProgramOf(launcher) is not null) ?? (hasSrun ? "srun" : null);
    }

    /// <summary>
    /// What starts a manager on each of a job's nodes that is no rank of anything: the scheduler's own within its job, else MPI's, which start any program. A job of one node needs none where the script runs
    /// on that node (<see cref="OwnNode"/>): always but under aprun, and in Slurm's salloc.
    /// </summary>
    /// <returns>Null: there is none; <see cref="Tried"/> says what was looked for.</returns>
    public string? ForManagers(IReadOnlyCollection<AllocationKind> allocation, int nodes)
    {
        if (allocation.Contains(AllocationKind.Slurm) && ProgramOf("srun") is not null)
            return "srun";
        if ((allocation.Contains(AllocationKind.Cobalt) || allocation.Contains(AllocationKind.Pbs)) && ProgramOf("aprun") is not null)
            return "aprun";
        return nodes == 1 ? OwnNode : Detect(allocation, isOpenMpi: false);
    }

    /// <summary>Whether an mpirun can let ranks live when another dies (<c>--enable-recovery</c>). Open MPI 5 has another launcher, PRRTE's.</summary>
    public bool Recovers(string program) => Has(Ask(program), "(Open MPI) 4.");

    private static bool IsOpenMpi(string? text) => Has(text, "Open MPI");

    private static bool IsHydra(string? text) => Has(text, "HYDRA") || Has(text, "Intel(R) MPI");

    // "mpiexec version 1.8.0 revision ...", without its name; Open MPI's says "mpiexec (OpenRTE)", Hydra's nothing of the kind.
    private static bool IsPals(string? text) => Has(text, "PALS") || text?.StartsWith("mpiexec version ", StringComparison.Ordinal) == true;

    private static bool Has(string? text, string word) => text?.Contains(word, StringComparison.OrdinalIgnoreCase) == true;

    private string? First(Func<string?, bool> isIt, params string[] programs) => programs.FirstOrDefault(program => isIt(Ask(program)));

    private string? Ask(string program)
    {
        if (!_answers.TryGetValue(program, out var answer))
            _answers.Add(program, answer = version(program));
        return answer;
    }
}
