using System.Collections.ObjectModel;

namespace FuncX.Configuration;

/// <summary>Who gives nodes.</summary>
public enum ProviderKind
{
    Local,
    Slurm,
    Pbs,
    Cobalt,

    /// <summary>The nodes of the job that the endpoint is started in.</summary>
    Allocation,
}

/// <summary>Which of the descendants of PBS it is (key <c>variant</c>).</summary>
public enum PbsKind
{
    /// <summary>OpenPBS and PBS Professional.</summary>
    Openpbs,

    Torque,
}

/// <summary>The <c>provider</c> section. What a kind does not know is refused when the file is read.</summary>
public sealed record ProviderConfiguration
{
    public ProviderKind Type { get; init; } = ProviderKind.Local;

    /// <summary>Nodes of one block: <c>nodes</c> with the local provider (managers on this machine), <c>nodes_per_block</c> with a scheduler; 1 to 100,000. With allocation the job has as many as it has.</summary>
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

    /// <summary>How long one block lasts; null with the local provider, and with allocation where the job itself tells.</summary>
    public TimeSpan? Walltime { get; init; }

    /// <summary>Whole nodes, whoever else could use the rest (slurm).</summary>
    public bool Exclusive { get; init; }

    /// <summary>Generic resources of each node (slurm): <c>gpu:4</c>.</summary>
    public string? Gres { get; init; }

    /// <summary>GPUs of each node (slurm); 1 to 128.</summary>
    public int? GpusPerNode { get; init; }

    /// <summary>Licenses (slurm): <c>scratch,abaqus:5</c>.</summary>
    public string? Licenses { get; init; }

    public PbsKind Variant { get; init; } = PbsKind.Openpbs;

    /// <summary>What a chunk of <c>select</c> consists of, without its number (pbs); left out: <c>ncpus=</c> as many as the workers of a node use.</summary>
    public string? Select { get; init; }

    /// <summary>Attributes of the nodes (cobalt): <c>mcdram=cache</c>.</summary>
    public IReadOnlyList<string> Attributes { get; init; } = [];

    /// <summary>Variables of the job's environment (cobalt).</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>How often the scheduler is asked about all blocks, as long as it answers well (batch providers); 1s to 10m.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>File systems the block needs (pbs, cobalt).</summary>
    public IReadOnlyList<string> Filesystems { get; init; } = [];

    /// <summary>Placement of chunks (pbs).</summary>
    public string? Place { get; init; }

    /// <summary>Shell text that a batch script runs first (batch providers).</summary>
    public string Init { get; init; } = "";

    /// <summary>Further lines of the batch script.</summary>
    public IReadOnlyList<string> Directives { get; init; } = [];
}
