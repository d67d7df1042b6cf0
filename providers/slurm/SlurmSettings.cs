namespace FuncX.Providers.Slurm;

/// <summary>How blocks are asked for; what is null or empty is left to the site.</summary>
public sealed record SlurmSettings
{
    public required TimeSpan Walltime { get; init; }

    /// <summary>CPUs that a node's manager is to have; left out with <see cref="Exclusive"/>, which gives it all.</summary>
    public int CoresPerNode { get; init; } = 1;

    public string? Account { get; init; }

    public string? Partition { get; init; }

    public string? Qos { get; init; }

    public string? Reservation { get; init; }

    public string? Constraint { get; init; }

    /// <summary>Whole nodes.</summary>
    public bool Exclusive { get; init; }

    /// <summary>Generic resources of each node: <c>gpu:4</c>.</summary>
    public string? Gres { get; init; }

    public int? GpusPerNode { get; init; }

    public string? Licenses { get; init; }

    /// <summary>Further options as they stand after <c>#SBATCH</c>.</summary>
    public IReadOnlyList<string> Directives { get; init; } = [];
}
