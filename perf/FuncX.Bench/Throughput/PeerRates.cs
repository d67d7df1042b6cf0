namespace FuncX.Bench.Throughput;

/// <summary>Another system as a Python program uses it: a map and single submissions per second, and one call at a time.</summary>
internal sealed record PeerRates(double MapPerSecond, double SubmitPerSecond, double P50);
