using System.Globalization;
using FuncX.Wire;

namespace FuncX.Bench.Mpi;

/// <summary>Milliseconds of a call, all of it as its caller saw it and the parts of it by the times that each process has put into the result.</summary>
internal readonly record struct CallTimes(double Milliseconds, double AtEndpoint, double ToManager, double ToWorker, double InWorker, double Back)
{
    public static CallTimes Of(double milliseconds, in ResultPrefix prefix) => new(
        milliseconds,
        Between(prefix.EndpointReceived, prefix.EndpointSent),
        Between(prefix.EndpointSent, prefix.ManagerReceived),
        Between(prefix.ManagerReceived, prefix.WorkerStarted),
        Between(prefix.WorkerStarted, prefix.WorkerEnded),
        Between(prefix.WorkerEnded, prefix.EndpointBack));

    /// <summary>The one that so large a share of the calls was at least as fast as.</summary>
    public static double Quantile(CallTimes[] calls, double share) => Sorted(calls)[(int)((calls.Length - 1) * share)].Milliseconds;

    /// <summary>Where the slowest hundredth of the calls was, in words.</summary>
    public static string Slowest(CallTimes[] calls)
    {
        var slow = Sorted(calls)[^Math.Max(1, calls.Length / 100)..];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"the slowest hundredth: at the endpoint {slow.Average(static call => call.AtEndpoint):0.0} ms, to the manager {slow.Average(static call => call.ToManager):0.0}, to the worker {slow.Average(static call => call.ToWorker):0.0}, in it {slow.Average(static call => call.InWorker):0.0}, back to the endpoint {slow.Average(static call => call.Back):0.0}, {slow.Average(static call => call.Milliseconds):0.0} in all");
    }

    private static CallTimes[] Sorted(CallTimes[] calls)
    {
        var sorted = calls.ToArray();
        Array.Sort(sorted, static (left, right) => left.Milliseconds.CompareTo(right.Milliseconds));
        return sorted;
    }

    private static double Between(long from, long to) => (to - from) / 1000.0;
}
