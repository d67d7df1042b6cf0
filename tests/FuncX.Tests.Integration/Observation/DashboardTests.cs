using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Observation;

/// <summary>The dashboard of eng/grafana against a real Prometheus that scrapes a running service and endpoint.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class DashboardTests
{
    // As Grafana would fill it in for pages that are scraped once a second.
    private const string RateInterval = "4s";

    // Figures of the dashboard that are above zero only while, or after, tasks run.
    private static readonly string[] s_moved =
    [
        "sum(rate(funcx_service_tasks_done_total[4s]))", "sum(rate(funcx_service_tasks_submitted_total[4s]))", "sum(rate(funcx_service_tasks_sent_total[4s]))",
        "sum(rate(funcx_service_commit_duration_seconds_count[4s]))",
    ];

    [Fact]
    public async Task Every_query_gives_series_and_they_follow_the_tasks()
    {
        Assert.SkipUnless(File.Exists(PrometheusServer.Program), $"{PrometheusServer.Program} is missing: apt-get install --no-install-recommends prometheus");
        await Scenario.RunAsync(await LocalCluster.StartServiceWithAsync("telemetry: {prometheus: \"127.0.0.1:0\"}"), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions { MoreYaml = "telemetry: {prometheus: \"127.0.0.1:0\"}" });
            await using var prometheus = await PrometheusServer.StartAsync(
                Path.Combine(cluster.DirectoryPath, "prometheus"), ("funcx-service", new Uri(cluster.Service.Metrics)), ("funcx-endpoint", new Uri(cluster.Endpoint.Metrics)));
            var queries = Queries();
            queries.Count.ShouldBeGreaterThan(50);

            // The first call of each method makes its series.
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            foreach (var query in queries)
                await Eventually.TrueAsync(async () => (await prometheus.QueryAsync(query)).Count > 0, $"a series of {query}");

            await Eventually.TrueAsync(async () => await SumAsync(prometheus, s_moved[0]) == 0, "nothing runs");
            (await SumAsync(prometheus, "sum(funcx_service_tasks_submitted_total)")).ShouldBe(0);
            var moved = s_moved.Where(queries.Contains).ToHashSet();
            moved.ShouldBe(s_moved, ignoreOrder: true);
            // Until each has been seen above zero; a batch a turn, so that none of them stands still in between.
            var tasks = 0;
            await Eventually.TrueAsync(
                async () =>
                {
                    await cluster.SubmitRangeAsync(square, "moving", 20);
                    tasks += 20;
                    foreach (var query in moved.ToArray())
                    {
                        if (await SumAsync(prometheus, query) > 0)
                            moved.Remove(query);
                    }

                    return moved.Count == 0;
                },
                "the rates rise",
                seen: () => string.Join(", ", moved));
            await cluster.Api.WaitAsync("moving", tasks);
            foreach (var total in new[] { "sum(funcx_service_tasks_submitted_total)", "sum(funcx_service_tasks_done_total)", "sum(funcx_endpoint_tasks_received_total)", "sum(funcx_endpoint_results_total)", "sum(funcx_endpoint_results_committed_total)" })
                await Eventually.TrueAsync(async () => await SumAsync(prometheus, total) == tasks, $"{total} is {tasks}");
            await Eventually.TrueAsync(async () => await SumAsync(prometheus, s_moved[0]) == 0, "nothing runs any more");
        });
    }

    private static async Task<double> SumAsync(PrometheusServer prometheus, string query) => (await prometheus.QueryAsync(query)).Sum();

    private static IReadOnlyList<string> Queries()
    {
        using var dashboard = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SourceTree.Root, "eng", "grafana", "funcx.json")));
        return
        [
            .. dashboard.RootElement.GetProperty("panels").EnumerateArray()
                .Where(static panel => panel.TryGetProperty("targets", out _))
                .SelectMany(static panel => panel.GetProperty("targets").EnumerateArray())
                .Select(static target => target.GetProperty("expr").GetString()!.Replace("$__rate_interval", RateInterval, StringComparison.Ordinal)),
        ];
    }
}
