using System.Globalization;
using System.Text;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>What passed each hop, and what is between two of them, just before a kill. A hop that gave no answer is null: nothing is known to be in flight beyond it.</summary>
internal sealed record HopCounters
{
    public required SubmitterCounts Client { get; init; }

    public ServiceCounts? Service { get; init; }

    public EndpointCounts? Endpoint { get; init; }

    /// <summary>Managers that have told the endpoint what they hold, by process.</summary>
    public IReadOnlyDictionary<int, ManagerAtEndpoint> Managers { get; init; } = new Dictionary<int, ManagerAtEndpoint>();

    /// <summary>Workers in the middle of a task, each with its zygote.</summary>
    public IReadOnlyDictionary<int, int> Running { get; init; } = new Dictionary<int, int>();

    /// <summary>What the service's group says.</summary>
    public sealed record ServiceCounts(long Queued, long Dispatched, long Done);

    /// <summary>The endpoint's counters; they begin with its process.</summary>
    public sealed record EndpointCounts(long Received, long Sent, long Results, long Committed);

    /// <summary>Tasks sent to a manager and not back; then what the manager itself last told.</summary>
    public sealed record ManagerAtEndpoint(long InFlight, long Received, long ToWorkers, long FromWorkers);

    /// <summary>Asks every hop.</summary>
    public static async Task<HopCounters> ReadAsync(LocalCluster cluster, Workload work)
    {
        using var status = await cluster.Endpoint.StatusAsync();
        var service = await ReadServiceAsync(cluster, work.Group);
        JsonElement? dispatch = status is not null && status.RootElement.TryGetProperty("dispatch", out var found) ? found : null;
        return new HopCounters
        {
            Client = work.Counts(),
            Service = service,
            Endpoint = dispatch is { } at
                ? new EndpointCounts(Count(at, "hops", "tasks_received"), Count(at, "hops", "tasks_sent"), Count(at, "hops", "results_received"), Count(at, "hops", "results_committed"))
                : null,
            Managers = dispatch is not { } of
                ? new Dictionary<int, ManagerAtEndpoint>()
                : of.GetProperty("per_manager").EnumerateArray().ToDictionary(
                    static manager => manager.GetProperty("pid").GetInt32(),
                    static manager => new ManagerAtEndpoint(
                        manager.GetProperty("in_flight").GetInt64(),
                        Count(manager, "hops", "tasks_received"),
                        Count(manager, "hops", "tasks_to_workers"),
                        Count(manager, "hops", "results_from_workers"))),
            // Last, since it changes fastest.
            Running = work.Running(),
        };
    }

    /// <summary>Tasks in flight at the hop beyond this victim, and no other of its kind.</summary>
    public long Beyond(string kind, int pid) => kind switch
    {
        // Sent and not acknowledged, at the service, or on the way back; only when the service itself says so.
        "client" => Service is null ? 0 : Client.Unacknowledged + Service.Queued + Service.Dispatched + Math.Max(0, Service.Done - Client.Outcomes),
        "service" => Service is null ? 0 : Service.Queued + Service.Dispatched,
        "endpoint" => Service?.Dispatched ?? 0,
        "manager" => Managers.TryGetValue(pid, out var manager) ? manager.InFlight : 0,
        "zygote" => Running.Values.Count(zygote => zygote == pid),
        "worker" => Running.ContainsKey(pid) ? 1 : 0,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no process kind of the schedule"),
    };

    public override string ToString()
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"client: planned {Client.Planned}, acknowledged {Client.Acknowledged}, outcomes {Client.Outcomes}; service: ");
        text.Append(Service is null ? "no answer" : string.Create(CultureInfo.InvariantCulture, $"queued {Service.Queued}, dispatched {Service.Dispatched}, done {Service.Done}"));
        text.Append("; endpoint: ").Append(Endpoint is null
            ? "no answer"
            : string.Create(CultureInfo.InvariantCulture, $"received {Endpoint.Received}, sent {Endpoint.Sent}, results {Endpoint.Results}, committed {Endpoint.Committed}"));
        foreach (var (pid, manager) in Managers)
            text.Append(CultureInfo.InvariantCulture, $"; manager {pid}: in flight {manager.InFlight}, received {manager.Received}, to workers {manager.ToWorkers}, back {manager.FromWorkers}");
        return text.Append("; running in ").AppendJoin(", ", Running.Select(static worker => $"{worker.Key} of {worker.Value}")).ToString();
    }

    private static async Task<ServiceCounts?> ReadServiceAsync(LocalCluster cluster, string group)
    {
        try
        {
            var info = await cluster.Api.Tasks.GetGroupAsync(new GetGroupRequest { Group = group }, cluster.Api.Headers, DateTime.UtcNow.AddSeconds(2));
            return new ServiceCounts(info.Queued, info.Dispatched, info.Done);
        }
        catch (Grpc.Core.RpcException)
        {
            return null;
        }
    }

    private static long Count(JsonElement element, string group, string name) => element.GetProperty(group).GetProperty(name).GetInt64();
}
