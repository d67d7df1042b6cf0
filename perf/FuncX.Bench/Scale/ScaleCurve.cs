using System.Globalization;

namespace FuncX.Bench.Scale;

/// <summary>One curve: how the time depends on the number of workers.</summary>
/// <param name="Name">As in files and with <c>--only</c>.</param>
/// <param name="Seconds">That each task lasts.</param>
/// <param name="Tasks">Of all workers together; strong scaling.</param>
/// <param name="TasksPerWorker">Of each worker; weak scaling.</param>
/// <param name="Published">Seconds by workers that the paper states (Theta, Cray XC40, one worker per hardware thread).</param>
internal sealed record ScaleCurve(string Name, double Seconds, int? Tasks, int? TasksPerWorker, (int Workers, double Seconds)[] Published)
{
    /// <summary>A point that would take longer even if everything but the workers cost nothing is left out.</summary>
    public const double LongestIdeal = 120;

    public static IReadOnlyList<ScaleCurve> All { get; } =
    [
        new("strong-noop", 0, 100_000, null, [(64, 183.0), (256, 63.0), (8_192, 59.03), (65_536, 65.7)]),
        new("strong-1s", 1, 100_000, null, []),
        new("weak-noop", 0, null, 10, [(131_072, 989)]),
        new("weak-1s", 1, null, 10, [(64, 10.2), (2_048, 13.4), (16_384, 99), (65_536, 415)]),
        new("weak-1min", 60, null, 2, []),
    ];

    public bool IsStrong => Tasks is not null;

    public int TasksOf(int workers) => Tasks ?? (TasksPerWorker!.Value * workers);

    /// <summary>With nothing but the workers' time: whole turns of all workers.</summary>
    public double IdealSeconds(int workers) => Math.Ceiling((double)TasksOf(workers) / workers) * Seconds;

    public bool IsLeftOut(int workers) => IdealSeconds(workers) > LongestIdeal;

    /// <summary>What the paper states for so many workers; null: nothing.</summary>
    public double? PublishedSeconds(int workers) => Array.Find(Published, point => point.Workers == workers) is { Workers: > 0 } stated ? stated.Seconds : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}: {(IsStrong ? $"{Tasks:#,0} tasks" : $"{TasksPerWorker} tasks per worker")}, {(Seconds == 0 ? "no-op" : $"{Seconds:0.###} s each")}");
}
