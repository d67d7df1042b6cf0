using System.Globalization;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Dispatch;

namespace FuncX.Endpoint.Commands;

/// <summary>What <c>status --watch</c> shows of one moment; rates are those since the moment before.</summary>
internal sealed class StatusFrame(EndpointStatusReport status, EndpointSnapshot now, EndpointSnapshot? before, TimeSpan since, DateTimeOffset time)
{
    private const int MostManagers = 12;

    private double DonePerSecond => PerSecond(now.Completed, before?.Completed);

    /// <summary>The lines of a screen.</summary>
    public IEnumerable<string> Screen()
    {
        yield return Of($"{status.Name} ({status.EndpointId}) {status.State}, pid {status.Pid} on {status.Host}, up {Up()}");
        yield return Of($"service    {status.Service} {(now.Online ? "online" : "offline")}, epoch {now.Epoch}");
        yield return Of($"tasks      {now.Queued:N0} queued, {now.Running:N0} at managers, {now.Completed:N0} done, {DonePerSecond:N1}/s");
        yield return Of($"results    {now.ResultsHeld:N0} held ({Bytes(now.ResultsHeldBytes)}), {Bytes(now.SpoolBytes)} spooled, {now.Hops.ResultsCommitted:N0} committed, {PerSecond(now.Hops.ResultsCommitted, before?.Hops.ResultsCommitted):N1}/s");
        yield return Of($"errors     {now.Hops.ResultsFailed:N0} failed, {PerSecond(now.Hops.ResultsFailed, before?.Hops.ResultsFailed):N1}/s, {now.Hops.AttemptsLost:N0} attempts lost");
        yield return Of($"workers    {now.WorkersBusy:N0} of {now.Workers:N0} busy, {now.Managers:N0} managers, prefetch {now.Prefetch}");
        if (now.Note.Length > 0)
            yield return Of($"note       {now.Note}");
        yield return Of($"blocks     {now.BlocksRunning:N0} running, {now.BlocksRequested:N0} requested{(now.BlocksDraining > 0 ? $", {now.BlocksDraining:N0} of those that run draining" : "")}{(now.Scale != "auto" ? $"; {now.Scale} ordered by hand" : "")}");
        if (now.WaitingForTime > 0)
            yield return Of($"walltime   {now.WaitingForTime:N0} tasks are longer than what is left of the blocks that run");
        if (now.WorldsRunning + now.WorldsWaiting > 0 || now.NodesGivenUp.Length > 0)
            yield return Of($"worlds     {now.WorldsRunning:N0} running, {now.WorldsWaiting:N0} waiting{(now.NodesGivenUp.Length > 0 ? $"; nodes given up: {now.NodesGivenUp}" : "")}");
        foreach (var block in status.Blocks)
            yield return Of($"  {block.Block,-22} {block.State,-9} {block.Nodes,4} nodes  {block.Requested.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z  {block.Remark}").TrimEnd();
        yield return Of($"managers   {"in flight",37} {"done",9} {"per s",9}");
        foreach (var manager in now.PerManager.OrderByDescending(static manager => manager.InFlight).ThenBy(static manager => manager.Manager, StringComparer.Ordinal).Take(MostManagers))
            yield return Of($"  {manager.Manager,-33} {manager.InFlight,12:N0} {manager.Hops.ResultsFromWorkers,9:N0} {PerSecond(manager.Hops.ResultsFromWorkers, Earlier(manager)),9:N1}");
        if (now.PerManager.Count > MostManagers)
            yield return Of($"  and {now.PerManager.Count - MostManagers:N0} more");
    }

    /// <summary>The same on one line, for a file.</summary>
    public string Line() => Of(
        $"{time.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ} {(now.Online ? "online" : "offline")} queued {now.Queued} at_managers {now.Running} done {now.Completed} done_per_s {DonePerSecond:F1} failed {now.Hops.ResultsFailed} attempts_lost {now.Hops.AttemptsLost} held {now.ResultsHeld} spool_bytes {now.SpoolBytes} busy {now.WorkersBusy} workers {now.Workers} managers {now.Managers} blocks {now.BlocksRunning} requested {now.BlocksRequested} draining {now.BlocksDraining} waiting_for_time {now.WaitingForTime} {now.Note}").TrimEnd();

    private static string Of(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Bytes(long bytes) => BlockReport.Bytes(bytes);

    private string Up()
    {
        var up = time - status.Started;
        return up.TotalDays >= 1 ? Of($"{(int)up.TotalDays} d {up.Hours:D2}:{up.Minutes:D2}") : Of($"{up.Hours:D2}:{up.Minutes:D2}:{up.Seconds:D2}");
    }

    private long? Earlier(ManagerCounts manager) => before is null ? null : before.PerManager.FirstOrDefault(earlier => earlier.Manager == manager.Manager)?.Hops.ResultsFromWorkers ?? 0;

    // The first look has nothing to compare with; a process that began anew has done less than the one before.
    private double PerSecond(long count, long? earlier) => earlier is { } known && since > TimeSpan.Zero ? Math.Max(0, count - known) / since.TotalSeconds : 0;
}
