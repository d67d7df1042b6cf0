namespace FuncX.Bench;

/// <summary>What was asked on the command line.</summary>
internal sealed record BenchSettings
{
    /// <summary>Small runs.</summary>
    public bool Quick { get; init; }

    /// <summary>Measure other systems beside.</summary>
    public bool Peers { get; init; }

    public int? Tasks { get; init; }

    public int? Runs { get; init; }

    public int Workers { get; init; }

    public int TasksOr(int full, int quick) => Tasks ?? (Quick ? quick : full);

    public int RunsOr(int full) => Runs ?? (Quick ? 1 : full);
}
