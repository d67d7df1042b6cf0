using System.Globalization;
using FuncX.Tests.Integration.Harness;
using FuncX.Wire;

namespace FuncX.Tests.Integration.Observation;

/// <summary>One trace of each sampled task, sent by OTLP to a receiver in this process, and nothing else.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class TraceTests
{
    private const string Secret = "s3cret value=50%25 and more";

    // Each span, its scope, its parent, and the hops that it begins and ends with.
    private static readonly (string Name, string Scope, string Parent, Func<HopTimes, long> From, Func<HopTimes, long> To)[] s_spans =
    [
        ("task", "FuncX.Service", "", static t => t.ClientSent, static t => t.ResultCommitted),
        ("client submit", "FuncX.Client", "task", static t => t.ClientSent, static t => t.ServiceAccepted),
        ("service accept", "FuncX.Service", "task", static t => t.ServiceAccepted, static t => t.ServiceSent),
        ("service commit", "FuncX.Service", "service accept", static t => t.ServiceAccepted, static t => t.ServiceCommitted),
        ("service dispatch", "FuncX.Service", "service accept", static t => t.ServiceCommitted, static t => t.ServiceSent),
        ("endpoint", "FuncX.Endpoint", "task", static t => t.EndpointReceived, static t => t.EndpointBack),
        ("endpoint queue", "FuncX.Endpoint", "endpoint", static t => t.EndpointReceived, static t => t.EndpointSent),
        ("manager", "FuncX.Manager", "endpoint", static t => t.ManagerReceived, static t => t.WorkerEnded),
        ("worker run", "FuncX.Worker", "manager", static t => t.WorkerStarted, static t => t.WorkerEnded),
        ("service commit result", "FuncX.Service", "task", static t => t.ServiceBack, static t => t.ResultCommitted),
    ];

    [Fact]
    public async Task A_sampled_task_is_one_trace_of_all_its_hops_in_order()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await Scenario.RunAsync(await LocalCluster.StartServiceWithAsync($"telemetry: {{traces: 1.0, otlp: {{endpoint: \"{receiver.GrpcAddress}\"}}}}"), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions());
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            var fail = await cluster.Api.RegisterAsync(Python.Fail, "fail");
            await cluster.SubmitRangeAsync(square, "traced", 2);
            await cluster.SubmitRangeAsync(fail, "failing", 1);
            await cluster.Api.WaitAsync("traced", 2);
            await cluster.Api.WaitAsync("failing", 1);
            var tasks = (await cluster.Api.ListAsync("traced")).Concat(await cluster.Api.ListAsync("failing")).ToList();
            // The spans of the last seconds leave with the service.
            (await cluster.Endpoint.StopAsync()).ShouldBe(0);
            (await cluster.Service.StopAsync()).ShouldBe(0);

            var spans = receiver.Spans;
            spans.Select(static span => span.Trace).Distinct().ShouldBe(tasks.Select(TraceOf), ignoreOrder: true);
            spans.Select(static span => span.Id).ShouldBeUnique();
            foreach (var task in tasks)
            {
                var trace = spans.Where(span => span.Trace == TraceOf(task)).ToDictionary(static span => span.Span.Name);
                trace.Keys.ShouldBe(s_spans.Select(static span => span.Name), ignoreOrder: true);
                foreach (var (name, scope, parent, from, to) in s_spans)
                {
                    var span = trace[name];
                    span.Scope.ShouldBe(scope, name);
                    span.Parent.ShouldBe(parent.Length == 0 ? "" : trace[parent].Id, $"the parent of {name}");
                    span.Times.ShouldBe((from(task.Times), to(task.Times)), name);
                    span.Times.From.ShouldBeLessThanOrEqualTo(span.Times.To, name);
                    if (parent.Length > 0)
                        span.Times.From.ShouldBeGreaterThanOrEqualTo(trace[parent].Times.From, $"{name} begins within {parent}");
                }

                var whole = trace["task"];
                whole.Attribute("funcx.task.id").ShouldBe(task.TaskId);
                whole.Attribute("funcx.task.attempt").ShouldBe("1");
                whole.Attribute("funcx.function.name").ShouldBe(task.Group == "failing" ? "fail" : "square");
                whole.Attribute("funcx.endpoint.name").ShouldBe("test");
                whole.Attribute("funcx.task.outcome").ShouldBe(task.Group == "failing" ? "exception" : "value");
                (whole.Span.Status?.Code ?? 0).ShouldBe(task.Group == "failing" ? 2 : 0, "an error is one");
                whole.ResourceAttribute("service.name").ShouldBe("funcx-service");
            }
        });
    }

    [Fact]
    public async Task The_standard_variables_say_what_the_file_leaves_out_and_a_share_is_a_share()
    {
        const int Tasks = 400;
        await using var receiver = await OtlpReceiver.StartAsync();
        var directory = LocalCluster.NewDirectory("headers");
        var headers = Path.Combine(directory, "headers");
        await File.WriteAllTextAsync(headers, $"x-secret={Secret}\n");
        File.SetUnixFileMode(headers, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var environment = new Dictionary<string, string?>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.HttpAddress,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_SERVICE_NAME"] = "the-service-of-a-test",
            ["OTEL_RESOURCE_ATTRIBUTES"] = "site=bench",
        };
        await Scenario.RunAsync(await LocalCluster.StartServiceWithAsync($"telemetry: {{traces: 0.25, push_metrics: true, otlp: {{headers_file: {headers}}}}}", environment), async cluster =>
        {
            await cluster.AddEndpointAsync(
                new EndpointOptions { MoreYaml = "telemetry: {push_metrics: true, interval: 1s}" },
                new Dictionary<string, string?> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.HttpAddress, ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf" });
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            await cluster.SubmitRangeAsync(square, "some", Tasks, perBatch: 100);
            await cluster.Api.WaitAsync("some", Tasks);
            await Eventually.TrueAsync(
                () => Sum(receiver, "funcx-endpoint", "funcx.endpoint.results") == Tasks, "the endpoint's own metrics have come", seen: () => $"{Sum(receiver, "funcx-endpoint", "funcx.endpoint.results")} results");
            (await cluster.Endpoint.StopAsync()).ShouldBe(0);
            (await cluster.Service.StopAsync()).ShouldBe(0);

            // By a hash: 400 of which a quarter is taken leave this range once in more than a million runs.
            receiver.Spans.Select(static span => span.Trace).Distinct().Count().ShouldBeInRange(55, 145);
            var whole = receiver.Spans.First(static span => span.Span.Name == "task");
            whole.ResourceAttribute("service.name").ShouldBe("the-service-of-a-test");
            whole.ResourceAttribute("site").ShouldBe("bench");
            Sum(receiver, "the-service-of-a-test", "funcx.service.tasks.submitted").ShouldBe(Tasks);
            receiver.Headers.ShouldContain($"x-secret={Secret}");
            var logs = await cluster.ReportAsync();
            logs.ShouldNotContain("s3cret");
        });
        Directory.Delete(directory, recursive: true);
    }

    [LongFact]
    public async Task Nothing_is_sent_by_default_nor_with_a_share_of_zero()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var environment = new Dictionary<string, string?> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.GrpcAddress };
        await Scenario.RunAsync(await LocalCluster.StartServiceWithAsync($"telemetry: {{traces: 0, otlp: {{endpoint: \"{receiver.GrpcAddress}\"}}}}", environment), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions(), environment);
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            await cluster.SubmitRangeAsync(square, "silent", 3);
            await cluster.Api.WaitAsync("silent", 3);
            (await cluster.Endpoint.StopAsync()).ShouldBe(0);
            (await cluster.Service.StopAsync()).ShouldBe(0);
            receiver.Requests.ShouldBe(0);
        });
    }

    private static string TraceOf(TaskInfo task)
    {
        TaskId.TryParse(task.TaskId, out var id).ShouldBeTrue();
        return id.Batch + id.Index.ToString("x8", CultureInfo.InvariantCulture);
    }

    // Of all attributes, as it was told last.
    private static long Sum(OtlpReceiver receiver, string service, string metric) => receiver.MetricsOfResources
        .LastOrDefault(resource => resource.Resource.Attributes.Any(attribute => attribute.Key == "service.name" && attribute.Value.StringValue == service)
            && resource.ScopeMetrics.Any(scope => scope.Metrics.Any(one => one.Name == metric)))?
        .ScopeMetrics.SelectMany(static scope => scope.Metrics).Where(one => one.Name == metric).Sum(static one => one.Sum.DataPoints.Sum(static point => point.AsInt)) ?? 0;
}
