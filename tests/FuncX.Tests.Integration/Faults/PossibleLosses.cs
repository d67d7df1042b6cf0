namespace FuncX.Tests.Integration.Faults;

/// <summary>
/// How many executions a kill of a manager or an endpoint may cost, by the counters read before it. A manager takes along what was sent to it and is not back.
/// An endpoint takes nothing along, since managers keep results until the service has them, unless the manager is gone as well: then what had come from it and
/// was not committed yet.
/// </summary>
internal sealed class PossibleLosses
{
    private readonly Dictionary<int, long> _inFlight = [];
    private long _resultsAtManagerKill;
    private long _heldAtEndpointKill;

    public long OfKill(string kind, int pid, HopCounters before)
    {
        foreach (var (manager, counts) in before.Managers)
            _inFlight[manager] = counts.InFlight;
        switch (kind)
        {
            case "manager":
                _resultsAtManagerKill = before.Endpoint?.Results ?? 0;
                // One that the restarted endpoint has not heard of yet holds what it held, and results that the endpoint before it had not passed on.
                return before.Managers.TryGetValue(pid, out var known) ? known.InFlight : _inFlight.GetValueOrDefault(pid) + _heldAtEndpointKill;
            case "endpoint":
                var committed = before.Endpoint?.Committed ?? 0;
                var lost = Math.Max(0, _resultsAtManagerKill - committed);
                _heldAtEndpointKill = Math.Max(0, (before.Endpoint?.Results ?? 0) - committed);
                _resultsAtManagerKill = 0;
                return lost;
            default:
                return 0;
        }
    }
}
