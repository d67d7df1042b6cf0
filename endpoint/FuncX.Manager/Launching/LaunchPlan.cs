using FuncX.Endpoint.Core.Launching;

namespace FuncX.Manager.Launching;

/// <summary>How the worlds of a block are launched.</summary>
internal sealed record LaunchPlan
{
    public required ILauncher Launcher { get; init; }

    /// <summary>Further arguments of the launcher.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>How Slurm and what it starts find each other; null: Slurm's default.</summary>
    public string? SlurmMpi { get; init; }

    public required int CoresPerNode { get; init; }

    /// <summary>The leader of a world of two ranks or more has no workers.</summary>
    public bool LeaderOnly { get; init; }

    /// <summary>When the job ends; null: not known.</summary>
    public BlockEnd? End { get; init; }
}
