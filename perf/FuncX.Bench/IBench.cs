namespace FuncX.Bench;

/// <summary>One row of measurements.</summary>
internal interface IBench
{
    string Name { get; }

    /// <summary>What it measures and needs, in one line.</summary>
    string Needs { get; }

    /// <summary>Measures; throws when a single value is wrong.</summary>
    Task RunAsync(BenchSettings settings, Report report);
}
