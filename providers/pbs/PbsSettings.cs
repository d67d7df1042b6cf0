namespace FuncX.Providers.Pbs;

/// <summary>How blocks are asked for; what is null or empty is left to the site.</summary>
public sealed record PbsSettings
{
    public required TimeSpan Walltime { get; init; }

    public PbsVariant Variant { get; init; }

    /// <summary>CPUs of a chunk when <see cref="Select"/> does not say what one is.</summary>
    public int CoresPerNode { get; init; } = 1;

    /// <summary>What a chunk, which is a node here, consists of: <c>ncpus=64:ngpus=4</c>, <c>system=polaris</c>. Without its number and <c>mpiprocs</c>.</summary>
    public string? Select { get; init; }

    /// <summary>Where chunks are put; <c>scatter</c> is one on each host.</summary>
    public string Place { get; init; } = "scatter";

    public string? Queue { get; init; }

    /// <summary>A reservation is a queue of its own; it takes the queue's place.</summary>
    public string? Reservation { get; init; }

    public string? Account { get; init; }

    public IReadOnlyList<string> Filesystems { get; init; } = [];

    /// <summary>Further options as they stand after <c>#PBS</c>.</summary>
    public IReadOnlyList<string> Directives { get; init; } = [];
}
