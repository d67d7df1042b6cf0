namespace FuncX.Bench.PythonSdk;

/// <summary>What one run of the program said; what it did not measure is not a number.</summary>
/// <param name="CpuPerCall">Microseconds of processor of the program itself.</param>
/// <param name="Hops">Microseconds from hop to hop, medians, in words.</param>
internal sealed record SdkRun(double PerSecond, double P50, double P99, double CpuPerCall, string Hops, string Versions);
