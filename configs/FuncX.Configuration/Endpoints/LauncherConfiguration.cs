namespace FuncX.Configuration;

/// <summary>How frames reach the managers.</summary>
public enum TransportKind
{
    /// <summary>Every manager dials the endpoint.</summary>
    Tcp,

    /// <summary>The leader of each world dials in and forwards over MPI.</summary>
    Mpi,
}

/// <summary>What starts the ranks of a world.</summary>
public enum LauncherKind
{
    Detect,
    Mpirun,
    Mpiexec,
    Srun,
    Aprun,
    Pals,
}

/// <summary>The <c>launcher</c> section.</summary>
public sealed record LauncherConfiguration
{
    public LauncherKind Type { get; init; } = LauncherKind.Detect;

    /// <summary>Ranks of one MPI job inside a block; 1 to 8,192.</summary>
    public int RanksPerWorld { get; init; } = 128;

    /// <summary>Further arguments of the launcher.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The leader of a world of two ranks or more has no workers.</summary>
    public bool LeaderOnly { get; init; }

    /// <summary>How many nodes of a block have a leader and no workers.</summary>
    /// <param name="nodes">Of the block, which has worlds that are as even as can be.</param>
    public int LeadersOnly(int nodes)
    {
        if (!LeaderOnly)
            return 0;
        var worlds = (nodes + RanksPerWorld - 1) / RanksPerWorld;
        return nodes >= 2 * worlds ? worlds : nodes - worlds;
    }
}
