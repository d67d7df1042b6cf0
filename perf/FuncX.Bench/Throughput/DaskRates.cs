namespace FuncX.Bench.Throughput;

/// <summary>Tasks per second of Dask distributed, tuned and as it comes.</summary>
internal sealed record DaskRates(string Version, double Tuned, double AsShipped);
