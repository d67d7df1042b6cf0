namespace FuncX.Bench.Mpi;

/// <summary>Microseconds of a half round trip of one size, and how they compare.</summary>
internal sealed record SizeComparison(int Bytes, double C, double Sharp, double Ratio, double AddedMicroseconds)
{
    public static SizeComparison Of(int bytes, double c, double sharp) => new(bytes, c, sharp, sharp / c, sharp - c);

    /// <summary>The median of each, over runs of one size.</summary>
    public static SizeComparison MedianOf(IGrouping<int, SizeComparison> runs) => new(
        runs.Key,
        Median.Of(runs.Select(static run => run.C)),
        Median.Of(runs.Select(static run => run.Sharp)),
        Median.Of(runs.Select(static run => run.Ratio)),
        Median.Of(runs.Select(static run => run.AddedMicroseconds)));
}
