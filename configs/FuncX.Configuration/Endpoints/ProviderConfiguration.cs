namespace FuncX.Configuration;

/// <summary>Who gives nodes.</summary>
public enum ProviderKind
{
    Local,
    Slurm,
    Pbs,
    Cobalt,
}

/// <summary>The <c>provider</c> section. What a kind does not know is refused when the file is read.</summary>
public sealed record ProviderConfiguration
{
    public ProviderKind Type { get; init; } = ProviderKind.Local;

    /// <summary>Nodes of one block: <c>nodes</c> with the local provider (managers on this machine), <c>nodes_per_block</c> otherwise; 1 to 100,000.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>Queue (pbs, cobalt).</summary>
    public string? Queue { get; init; }

    /// <summary>Partition (slurm).</summary>
    public string? Partition { get; init; }

    /// <summary>Quality of service (slurm).</summary>
    public string? Qos { get; init; }

    /// <summary>Node features asked for (slurm).</summary>
    public string? Constraint { get; init; }

    /// <summary>Reservation to run in.</summary>
    public string? Reservation { get; init; }

    /// <summary>Project that pays.</summary>
    public string? Account { get; init; }

    /// <summary>How long one block lasts; null with the local provider.</summary>
    public TimeSpan? Walltime { get; init; }

    /// <summary>File systems the block needs (pbs, cobalt).</summary>
    public IReadOnlyList<string> Filesystems { get; init; } = [];

    /// <summary>Placement of chunks (pbs).</summary>
    public string? Place { get; init; }

    /// <summary>Further lines of the batch script.</summary>
    public IReadOnlyList<string> Directives { get; init; } = [];
}
