using System.Net;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Observation;

/// <summary>The pages of metrics of a service and an endpoint, while the causes of their figures come and go.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class MetricsTests
{
    private const int Workers = 2;
    private const string ServicePage = "telemetry: {prometheus: \"127.0.0.1:0\"}";
    private static readonly HttpClient s_http = new();

    [Fact]
    public async Task Every_figure_follows_its_cause() => await Scenario.RunAsync(await LocalCluster.StartServiceWithAsync(ServicePage), async cluster =>
    {
        await SaysAsync(cluster, service: [("links", 0), ("endpoints_online", 0), ("endpoints_registered", 0), ("tasks_submitted_total", 0), ("submissions_refused", 0)]);
        await cluster.AddEndpointAsync(new EndpointOptions { WorkersPerNode = Workers, MoreYaml = "telemetry: {prometheus: socket}" });
        var wait = await cluster.Api.RegisterAsync(Python.WaitFor, "wait_for");
        await SaysAsync(
            cluster,
            service: [("links", 1), ("endpoints_online", 1), ("endpoints_registered", 1), ("blocks", 1), ("managers", 1), ("workers", Workers), ("workers_busy", 0)],
            endpoint: [("online", 1), ("blocks_running", 1), ("blocks_requested", 0), ("managers", 1), ("workers", Workers), ("workers_idle", Workers), ("workers_busy", 0), ("tasks_received_total", 0)]);

        var go = Path.Combine(cluster.DirectoryPath, "go");
        await HoldAsync(cluster, wait, "held", go, 5);
        await SaysAsync(
            cluster,
            service: [("tasks_submitted_total", 5), ("tasks_sent_total", 5), ("tasks_queued", 0), ("tasks_dispatched", 5), ("tasks_done_total", 0), ("workers_busy", Workers)],
            endpoint: [("tasks_received_total", 5), ("workers_busy", Workers), ("workers_idle", 0), ("results_total", 0)],
            sums: [("tasks_queued", "tasks_running", 5)]);
        var (commits, taskBytes) = ((await ServiceAsync(cluster))["funcx_service_commit_duration_seconds_count"], (await EndpointAsync(cluster))["funcx_endpoint_tasks_size_bytes_total"]);
        taskBytes.ShouldBeGreaterThan(0);
        await File.WriteAllTextAsync(go, "");
        await cluster.Api.WaitAsync("held", 5);
        await SaysAsync(
            cluster,
            service: [("tasks_done_total{outcome=\"value\"}", 5), ("tasks_dispatched", 0), ("workers_busy", 0), ("attempts_lost_total", 0)],
            endpoint: [("results_total{outcome=\"value\"}", 5), ("results_committed_total", 5), ("tasks_sent_total", 5), ("tasks_running", 0), ("tasks_queued", 0), ("workers_idle", Workers)]);
        var page = await ServiceAsync(cluster);
        page["funcx_service_commit_duration_seconds_count"].ShouldBeGreaterThan(commits);
        page["funcx_service_commit_size_bytes_count"].ShouldBe(page["funcx_service_commit_duration_seconds_count"]);
        page["funcx_service_commit_size_bytes_sum"].ShouldBeGreaterThan(0);
        await SaysAsync(
            cluster, service: [("request_duration_seconds_count{method=\"/funcx.v1.Tasks/Submit\",code=\"OK\"}", 1), ("streams_open{method=\"/funcx.v1.Link/Connect\"}", 1)]);

        // Every other way to end that a task has here.
        await cluster.Api.SubmitAsync(ServiceApi.Request(await cluster.Api.RegisterAsync(Python.Fail, "fail"), cluster.EndpointId, "fail", ["[1]"]));
        await cluster.Api.WaitAsync("fail", 1);
        await cluster.Api.SubmitAsync(ServiceApi.Request(await cluster.Api.RegisterAsync(Python.Die, "die"), cluster.EndpointId, "die", ["[1]"], new TaskOptions { MaxAttempts = 2 }));
        await cluster.Api.WaitAsync("die", 1);
        await SaysAsync(
            cluster,
            service: [("tasks_done_total{outcome=\"exception\"}", 1), ("tasks_done_total{outcome=\"lost\"}", 1), ("attempts_lost_total", 2), ("tasks_submitted_total", 7), ("tasks_sent_total", 8)],
            endpoint: [("results_total{outcome=\"exception\"}", 1), ("attempts_lost_total", 2)]);
        await Should.ThrowAsync<Grpc.Core.RpcException>(() => cluster.Api.EndpointAsync("none"));
        await SaysAsync(cluster, service: [("request_duration_seconds_count{method=\"/funcx.v1.Endpoints/Get\",code=\"NotFound\"}", 1)]);
        var used = (await ServiceAsync(cluster))["funcx_service_data_used_bytes"];
        await cluster.Api.SubmitAsync(ServiceApi.Request(wait, cluster.EndpointId, "large", [JsonSerializer.Serialize(new object[] { "", new string('x', 1 << 20) })]));
        await cluster.Api.WaitAsync("large", 1);
        await Eventually.TrueAsync(async () => (await ServiceAsync(cluster))["funcx_service_data_used_bytes"] >= used + (1 << 20), "the data directory has grown by the argument and its value");
        await Eventually.TrueAsync(async () => (await EndpointAsync(cluster))["funcx_endpoint_results_size_bytes_total"] > 1 << 20, "the endpoint had the value");

        // Results that the service cannot take are held, then spooled.
        var later = Path.Combine(cluster.DirectoryPath, "later");
        await HoldAsync(cluster, wait, "later", later, 2);
        await cluster.Service.KillAsync();
        await File.WriteAllTextAsync(later, "");
        await SaysAsync(cluster, endpoint: [("online", 0), ("results_total{outcome=\"value\"}", 8), ("results_held", 0), ("results_held_size_bytes", 0)], more: "funcx_endpoint_spool_bytes");
        await cluster.Service.StartAsync();
        await cluster.Api.WaitAsync("later", 2);
        await SaysAsync(cluster, service: [("tasks_done_total{outcome=\"value\"}", 2)], endpoint: [("online", 1), ("spool_bytes", 0)]);

        NoLabelGrows(await ServiceAsync(cluster), ["outcome", "method", "code", "le"]);
        NoLabelGrows(await EndpointAsync(cluster), ["outcome"]);
        (await cluster.Endpoint.StopAsync()).ShouldBe(0);
        await SaysAsync(cluster, service: [("links", 0), ("endpoints_online", 0), ("workers", 0), ("blocks", 0), ("managers", 0), ("endpoints_registered", 1)]);
    });

    [LongFact]
    public async Task A_page_is_there_only_when_asked_for_and_its_listener_serves_nothing_else() => await Scenario.RunAsync(await LocalCluster.StartServiceWithAsync(ServicePage), async cluster =>
    {
        await cluster.AddEndpointAsync(new EndpointOptions());
        (await Should.ThrowAsync<HttpRequestException>(() => cluster.Endpoint.AskAsync("/metrics"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        cluster.Endpoint.Metrics.ShouldBe("");
        (await s_http.GetAsync(new Uri($"{cluster.Service.Metrics}/x"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await s_http.PostAsync(new Uri(new Uri(cluster.Service.Metrics), "/funcx.v1.Endpoints/List"), content: null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // HTTP/2 without TLS, as gRPC speaks it: this is no page of the service's own address.
        using var asGrpc = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(cluster.Service.Address), "/metrics")) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        (await s_http.SendAsync(asGrpc)).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        await cluster.Endpoint.StopAsync();
        await cluster.AddEndpointAsync(new EndpointOptions { MoreYaml = "telemetry: {prometheus: \"127.0.0.1:0\"}" });
        var page = new Uri(cluster.Endpoint.Metrics);
        new MetricsText(await s_http.GetStringAsync(page))["funcx_endpoint_workers"].ShouldBe(2);
        new MetricsText(await cluster.Endpoint.AskAsync("/metrics"))["funcx_endpoint_workers"].ShouldBe(2);
        // Loopback is open to everybody on the machine: what controls the endpoint is not.
        (await s_http.PostAsync(new Uri(page, "/stop"), content: null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await s_http.GetAsync(new Uri(page, "/status"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        cluster.Endpoint.IsAlive.ShouldBeTrue();
    });

    private static async Task HoldAsync(LocalCluster cluster, string function, string group, string path, int count)
    {
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, group, Enumerable.Range(0, count).Select(number => JsonSerializer.Serialize(new object[] { path, number }))));
        await Eventually.TrueAsync(() => File.Exists(path + ".waits"), "they wait");
    }

    private static async Task<MetricsText> ServiceAsync(LocalCluster cluster) => new(await s_http.GetStringAsync(new Uri(cluster.Service.Metrics)));

    private static async Task<MetricsText> EndpointAsync(LocalCluster cluster) => new(await cluster.Endpoint.AskAsync("/metrics"));

    private static async Task SaysAsync(
        LocalCluster cluster, (string Name, double Value)[]? service = null, (string Name, double Value)[]? endpoint = null, (string One, string Other, double Sum)[]? sums = null, string? more = null)
    {
        var seen = "";
        await Eventually.TrueAsync(
            async () =>
            {
                var wrong = new List<string>();
                if (service is not null)
                    Compare(await ServiceAsync(cluster), "funcx_service_", service, wrong);
                if (endpoint is null)
                    return (seen = string.Join(", ", wrong)).Length == 0;
                var page = await EndpointAsync(cluster);
                Compare(page, "funcx_endpoint_", endpoint, wrong);
                foreach (var (one, other, sum) in sums ?? [])
                {
                    if (page["funcx_endpoint_" + one] + page["funcx_endpoint_" + other] is var all && all != sum)
                        wrong.Add($"{one} and {other} are {all}");
                }

                if (more is not null && page[more] <= 0)
                    wrong.Add($"{more} is {page[more]}");
                return (seen = string.Join(", ", wrong)).Length == 0;
            },
            $"the pages say {string.Join(", ", (service ?? []).Concat(endpoint ?? []))}",
            seen: () => seen);
    }

    private static void Compare(MetricsText page, string prefix, (string Name, double Value)[] expected, List<string> wrong) => wrong.AddRange(
        expected.Where(figure => page[prefix + figure.Name] != figure.Value).Select(figure => $"{prefix}{figure.Name} is {page[prefix + figure.Name]}"));

    // What a task, a user or a name would make grow stands on no label of ours; the runtime's own have a handful of values.
    private static void NoLabelGrows(MetricsText page, string[] ours)
    {
        page.Names.ShouldContain("dotnet_process_memory_working_set_bytes");
        page["dotnet_process_cpu_time_seconds_total"].ShouldBeGreaterThan(0);
        var runtime = new[] { "gc_heap_generation", "cpu_mode", "error_type" };
        var resource = page.Labels.Keys.Where(static label => label.StartsWith("service_", StringComparison.Ordinal) || label.StartsWith("telemetry_", StringComparison.Ordinal) || label == "host_name");
        page.Labels.Keys.ShouldBeSubsetOf(ours.Concat(runtime).Concat(resource));
        page.Labels.Values.ShouldAllBe(static values => values < 40);
    }
}
