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
        // The last resort goes last.
        var order = Order(allocation, isOpenMpi).OrderBy(launcher => !srunServes && launcher == "srun");
        return order.FirstOrDefault(launcher => ProgramOf(launcher) is not null);
    }

    /// <summary>The launchers of MPI ranks, in the order in which they are tried.</summary>
    /// <param name="allocation">Of which scheduler this job is, or may be; empty: of none.</param>
    /// <param name="isOpenMpi">Whether the ranks' library is Open MPI's.</param>
    public static IReadOnlyList<string> Order(IReadOnlyCollection<AllocationKind> allocation, bool isOpenMpi) =>
        [.. OfSchedulers(allocation), "pals", .. isOpenMpi ? (string[])["mpirun", "mpiexec"] : ["mpiexec", "mpirun"]];

    /// <summary>The launchers of managers that are no ranks, likewise.</summary>
    public static IReadOnlyList<string> OrderForManagers(IReadOnlyCollection<AllocationKind> allocation, int nodes) => nodes == 1 ? [.. OfSchedulers(allocation), OwnNode] : Order(allocation, isOpenMpi: false);

    /// <summary>
    /// What starts a manager on each of a job's nodes that is no rank of anything: the scheduler's own within its job, else MPI's, which start any program. A job of one node needs none where the script runs
    /// on that node (<see cref="OwnNode"/>): always but under aprun, and in Slurm's salloc.
    /// </summary>
    /// <returns>Null: there is none; <see cref="Tried"/> says what was looked for.</returns>
    public string? ForManagers(IReadOnlyCollection<AllocationKind> allocation, int nodes) =>
        OrderForManagers(allocation, nodes).FirstOrDefault(launcher => launcher == OwnNode || ProgramOf(launcher) is not null);

    /// <summary>Whether an mpirun can let ranks live when another dies (<c>--enable-recovery</c>). Open MPI 5 has another launcher, PRRTE's.</summary>
    public bool Recovers(string program) => Has(Ask(program), "(Open MPI) 4.");

    private static IEnumerable<string> OfSchedulers(IReadOnlyCollection<AllocationKind> allocation)
    {
        if (allocation.Contains(AllocationKind.Slurm))
            yield return "srun";
        if (allocation.Contains(AllocationKind.Cobalt) || allocation.Contains(AllocationKind.Pbs))
            yield return "aprun";
    }

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
