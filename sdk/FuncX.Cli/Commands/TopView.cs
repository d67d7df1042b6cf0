using System.Globalization;
using FuncX.Cli.Output;
using FuncX.Contracts.V1;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FuncX.Cli.Commands;

/// <summary>What <c>funcx top</c> shows of one moment; rates are those since the moment before.</summary>
internal sealed class TopView
{
    private Dictionary<string, long> _before = [];
    private Dictionary<string, long> _now = [];
    private long _beforeTime;

    public IReadOnlyList<TopEndpoint> Endpoints { get; private set; } = [];

    public IReadOnlyList<TopGroup> Groups { get; private set; } = [];

    /// <summary>Takes what the service says now.</summary>
    /// <param name="endpoints">The caller's endpoints.</param>
    /// <param name="groups">Groups to show; they may be others each time.</param>
    /// <param name="now">A time of <paramref name="time"/>.</param>
    /// <param name="time">Tells how long ago the moment before was.</param>
    public void Take(IReadOnlyList<EndpointInfo> endpoints, IReadOnlyList<GroupInfo> groups, long now, TimeProvider time)
    {
        var since = time.GetElapsedTime(_beforeTime, now);
        Endpoints = [.. endpoints.Select(endpoint => Of(endpoint, endpoint.Status ?? new EndpointStatus(), since))];
        Groups = [.. groups.Select(group => new TopGroup(group.Group, group.Tasks, group.Queued, group.Dispatched, group.Done, group.Failed, PerSecond($"group {group.Group}", group.Done, since)))];
        _beforeTime = now;
        (_before, _now) = (_now, []);
    }

    /// <summary>Tables for a screen.</summary>
    public IRenderable Screen()
    {
        var endpoints = Tables.New("endpoint", "state", "busy/workers", "waiting", "running", "done", "per s", "note");
        foreach (var row in Endpoints)
            endpoints.Add(row.Name, row.Online ? "online" : "offline", $"{row.Busy}/{row.Workers}", $"{row.Waiting}", $"{row.Running}", $"{row.Done}", Rate(row.DonePerS), row.Note);
        if (Groups.Count == 0)
            return endpoints;
        var groups = Tables.New("group", "tasks", "waiting", "running", "done", "failed", "per s");
        foreach (var row in Groups)
            groups.Add(row.Name, $"{row.Tasks}", $"{row.Waiting}", $"{row.Running}", $"{row.Done}", $"{row.Failed}", Rate(row.DonePerS));
        return new Rows(endpoints, groups);
    }

    /// <summary>A line each, for a file.</summary>
    public IEnumerable<string> Lines(DateTimeOffset time)
    {
        var at = time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        foreach (var row in Endpoints)
            yield return $"{at} endpoint {row.Name} {(row.Online ? "online" : "offline")} busy {row.Busy} workers {row.Workers} waiting {row.Waiting} running {row.Running} done {row.Done} done_per_s {Rate(row.DonePerS)} {row.Note}".TrimEnd();
        foreach (var row in Groups)
            yield return $"{at} group {row.Name} tasks {row.Tasks} waiting {row.Waiting} running {row.Running} done {row.Done} failed {row.Failed} done_per_s {Rate(row.DonePerS)}";
    }

    private static string Rate(double perSecond) => perSecond.ToString("0.0", CultureInfo.InvariantCulture);

    private TopEndpoint Of(EndpointInfo endpoint, EndpointStatus status, TimeSpan since) => new(
        endpoint.Name, endpoint.Online, status.WorkersBusy, status.Workers, endpoint.Queued + status.Queued, status.Running, status.Completed, PerSecond($"endpoint {endpoint.EndpointId}", status.Completed, since), status.Note);

    // The first look has nothing to compare with; an endpoint that began anew has done less than before.
    private double PerSecond(string name, long done, TimeSpan since)
    {
        var rate = _before.TryGetValue(name, out var before) && since > TimeSpan.Zero ? Math.Max(0, done - before) / since.TotalSeconds : 0;
        _now[name] = done;
        return rate;
    }
}

/// <summary>An endpoint in the view: waiting are the tasks at the service and at the endpoint that no manager has.</summary>
internal sealed record TopEndpoint(string Name, bool Online, int Busy, int Workers, long Waiting, long Running, long Done, double DonePerS, string Note);

/// <summary>A group in the view: running are the tasks that were sent to an endpoint.</summary>
internal sealed record TopGroup(string Name, long Tasks, long Waiting, long Running, long Done, long Failed, double DonePerS);
