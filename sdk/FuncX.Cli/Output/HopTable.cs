using FuncX.Contracts.V1;
using Spectre.Console;

namespace FuncX.Cli.Output;

/// <summary>
/// Where the time of a task went. Each hop's time is taken on the clock of the machine where it happened; between two machines a duration holds the difference of
/// their clocks too and may be negative. It is shown as it is.
/// </summary>
internal static class HopTable
{
    /// <summary>The hops in the order of the way; null where one of a hop's two times is unknown.</summary>
    public static IReadOnlyList<(string Hop, string Clock, long? Microseconds)> Hops(HopTimes times) =>
    [
        ("client to service", "client, service", Between(times.ClientSent, times.ServiceAccepted)),
        ("submission committed", "service", Between(times.ServiceAccepted, times.ServiceCommitted)),
        ("waits at the service", "service", Between(times.ServiceCommitted, times.ServiceSent)),
        ("service to endpoint", "service, endpoint", Between(times.ServiceSent, times.EndpointReceived)),
        ("waits at the endpoint", "endpoint", Between(times.EndpointReceived, times.EndpointSent)),
        ("endpoint to manager", "endpoint, node", Between(times.EndpointSent, times.ManagerReceived)),
        ("waits for a worker", "node", Between(times.ManagerReceived, times.WorkerStarted)),
        ("runs", "node", Between(times.WorkerStarted, times.WorkerEnded)),
        ("worker to endpoint", "node, endpoint", Between(times.WorkerEnded, times.EndpointBack)),
        ("endpoint to service", "endpoint, service", Between(times.EndpointBack, times.ServiceBack)),
        ("result committed", "service", Between(times.ServiceBack, times.ResultCommitted)),
        ("in all", "client, service", Between(times.ClientSent, times.ResultCommitted)),
    ];

    public static Table Create(string title, string column, IEnumerable<(string Hop, string Clock, long? Microseconds)> hops)
    {
        var table = Tables.New("hop", column, "clock").Title(title);
        table.Columns[1].RightAligned();
        foreach (var (hop, clock, microseconds) in hops)
            table.Add(hop, microseconds is { } known ? Tables.Duration(known) : "unknown", clock);
        return table;
    }

    private static long? Between(long from, long to) => from == 0 || to == 0 ? null : to - from;
}
