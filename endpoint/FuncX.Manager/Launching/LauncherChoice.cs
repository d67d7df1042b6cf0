namespace FuncX.Manager.Launching;

/// <summary>Which launcher a machine has.</summary>
/// <param name="version">What a program prints when it is asked for its version; null: it is not there.</param>
internal sealed class LauncherChoice(Func<string, string?> version)
{
    private readonly Dictionary<string, string?> _answers = new(StringComparer.Ordinal);

    /// <summary>What was looked for and found so far, for people.</summary>
    public string Tried => string.Join("; ", _answers.Select(static asked => asked.Value is null ? $"{asked.Key} is not there" : $"{asked.Key} says '{asked.Value.Split('\n')[0].Trim()}'"));

    /// <summary>The one that the configuration names.</summary>
    /// <returns>Null: it names none that there is.</returns>
    public ILauncher? Named(string name) => name switch
    {
        "mpirun" => Mpirun(Plain("mpirun", "mpirun.openmpi", IsOpenMpi)),
        "mpiexec" => new HydraLauncher(Plain("mpiexec", "mpiexec.hydra", IsHydra)),
        "srun" => new SrunLauncher(),
        "aprun" => new AprunLauncher(),
        "pals" => new PalsLauncher(),
        _ => null,
    };

    /// <summary>The scheduler's own within its job, else the one that came with the MPI library that the ranks will load.</summary>
    /// <param name="allocation">Of which scheduler this job is; null: of none.</param>
    /// <param name="isOpenMpi">Whether the library is Open MPI's.</param>
    /// <param name="srunServes">False: by this srun the library's ranks cannot find each other; it is the last resort then.</param>
    /// <returns>Null: there is none; <see cref="Tried"/> says what was looked for.</returns>
    public ILauncher? Detect(AllocationKind? allocation, bool isOpenMpi, bool srunServes = true)
    {
        var hasSrun = allocation == AllocationKind.Slurm && Ask("srun") is not null;
        if (hasSrun && srunServes)
            return Named("srun");
        if (allocation is AllocationKind.Cobalt or AllocationKind.Pbs && Ask("aprun") is not null)
            return Named("aprun");
        if (IsPals(Ask("mpiexec")))
            return Named("pals");
        var names = isOpenMpi ? (string[])["mpirun", "mpiexec"] : ["mpiexec", "mpirun"];
        return names.Select(Found).FirstOrDefault(static launcher => launcher is not null) ?? (hasSrun ? Named("srun") : null);
    }

    /// <summary>
    /// What starts a manager on each of a job's nodes that is no rank of anything: the scheduler's own within its job, else MPI's, which start any program. A job of one node needs none where the script runs
    /// on that node: always but under aprun, and in Slurm's salloc.
    /// </summary>
    /// <returns>Null: there is none; <see cref="Tried"/> says what was looked for.</returns>
    public ILauncher? ForManagers(AllocationKind? allocation, int nodes)
    {
        if (allocation == AllocationKind.Slurm && Ask("srun") is not null)
            return Named("srun");
        if (allocation is AllocationKind.Cobalt or AllocationKind.Pbs && Ask("aprun") is not null)
            return Named("aprun");
        return nodes == 1 ? new OwnNodeLauncher() : Detect(allocation, isOpenMpi: false);
    }

    private static bool IsOpenMpi(string? text) => Has(text, "Open MPI");

    private static bool IsHydra(string? text) => Has(text, "HYDRA") || Has(text, "Intel(R) MPI");

    // "mpiexec version 1.8.0 revision ...", without its name; Open MPI's says "mpiexec (OpenRTE)", Hydra's nothing of the kind.
    private static bool IsPals(string? text) => Has(text, "PALS") || text?.StartsWith("mpiexec version ", StringComparison.Ordinal) == true;

    private static bool Has(string? text, string word) => text?.Contains(word, StringComparison.OrdinalIgnoreCase) == true;

    private ILauncher? Found(string name)
    {
        var launcher = Named(name);
        var isThere = name == "mpirun" ? IsOpenMpi(Ask("mpirun")) || IsOpenMpi(Ask("mpirun.openmpi")) : IsHydra(Ask("mpiexec")) || IsHydra(Ask("mpiexec.hydra"));
        return isThere ? launcher : null;
    }

    // Open MPI 5 has another launcher, PRRTE's.
    private MpirunLauncher Mpirun(string program) => new(program, recovers: Has(Ask(program), "(Open MPI) 4."));

    // With two MPIs on a machine only one of them has the plain name.
    private string Plain(string plain, string other, Func<string?, bool> isIt) => !isIt(Ask(plain)) && isIt(Ask(other)) ? other : plain;

    private string? Ask(string program)
    {
        if (!_answers.TryGetValue(program, out var answer))
            _answers.Add(program, answer = version(program));
        return answer;
    }
}
