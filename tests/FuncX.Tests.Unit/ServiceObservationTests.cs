using System.Diagnostics;
using System.Net;
using FuncX.Configuration;
using FuncX.Contracts.V1;
using FuncX.Service.Hosting;
using FuncX.Service.Observation;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Telemetry;
using FuncX.Wire;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>Which tasks become a trace, under which id, and what the service's file may say of it.</summary>
public sealed class ServiceObservationTests
{
    // Port 9 (discard) of loopback, where nobody listens.
    private static readonly TelemetryConfiguration s_toNobody = new() { Traces = 1, Otlp = new OtlpConfiguration { Endpoint = new Uri("http://127.0.0.1:9") } };

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(0.01, 60, 150)]
    [InlineData(0.5, 4_800, 5_200)]
    [InlineData(1, 10_000, 10_000)]
    public void A_share_of_the_tasks_is_taken_and_always_the_same_ones(double share, int least, int most)
    {
        BatchId.TryParse("0193f1c2a4b77c1e90ab12cd", out var batch).ShouldBeTrue();
        var taken = Enumerable.Range(0, 10_000).Where(index => new TraceSampler(share).Takes(batch, index)).ToList();
        taken.Count.ShouldBeInRange(least, most);
        taken.ShouldBe(Enumerable.Range(0, 10_000).Where(index => new TraceSampler(share).Takes(batch, index)));
        // Whoever takes more takes these too.
        taken.ShouldAllBe(index => new TraceSampler(Math.Min(1, share * 2)).Takes(batch, index));
    }

    [Fact]
    public void A_trace_s_id_reads_like_its_task_s()
    {
        TaskId.TryParse("0193f1c2a4b77c1e90ab12cd-4660", out var task).ShouldBeTrue();
        TaskTraces.TraceIdOf(task).ToHexString().ShouldBe("0193f1c2a4b77c1e90ab12cd00001234");
    }

    [Fact]
    public void The_service_s_file_has_telemetry_and_logs()
    {
        var result = ServiceConfiguration.Parse("service.yaml", """
            telemetry:
              prometheus: "[::1]:9464"
              traces: 0.001
              push_metrics: true
              interval: 10s
              otlp: {endpoint: "https://collector.example.org:4318/otlp", protocol: http_protobuf, headers_file: /etc/funcx/otlp}
            logs: {file: /var/log/funcx/service.log, size: 1MiB, files: 3, format: json}
            """);
        result.Errors.ShouldBeEmpty();
        result.Value!.Telemetry.ShouldBe(new TelemetryConfiguration
        {
            PrometheusListen = new IPEndPoint(IPAddress.IPv6Loopback, 9464),
            Traces = 0.001,
            PushMetrics = true,
            Interval = TimeSpan.FromSeconds(10),
            Otlp = new OtlpConfiguration { Endpoint = new Uri("https://collector.example.org:4318/otlp"), Protocol = OtlpProtocol.HttpProtobuf, HeadersFile = "/etc/funcx/otlp" },
        });
        result.Value.Logs.ShouldBe(new LogsConfiguration { File = "/var/log/funcx/service.log", Size = 1 << 20, Files = 3, Format = LogFormat.Json });
        var nothing = ServiceConfiguration.Parse("service.yaml", "listen: 127.0.0.1:0").Value!;
        nothing.Telemetry.ShouldBe(new TelemetryConfiguration());
        nothing.Telemetry.HasMetrics.ShouldBeFalse();
        nothing.Logs.ShouldBe(new LogsConfiguration());
    }

    [Theory]
    [InlineData("telemetry: {traces: 1.5}", "expected a number from 0 to 1")]
    [InlineData("telemetry: {traces: -0.1}", "expected a number from 0 to 1")]
    [InlineData("telemetry: {prometheus: socket}", "expected off, or a loopback address and a port")]
    [InlineData("telemetry: {prometheus: '192.0.2.1:9464'}", "Metrics for another machine are sent there: push_metrics")]
    [InlineData("logs: {file: x.log}", "expected an absolute path")]
    public void What_the_service_cannot_do_is_told(string text, string message) =>
        ServiceConfiguration.Parse("service.yaml", text).Errors.ShouldHaveSingleItem().Message.ShouldContain(message);

    [Theory]
    [InlineData("x-key=hunter\n", 0b110_100_000, "has mode 0640. Run: chmod 600")]
    [InlineData("x-key=a\nhunter\n", 0b110_000_000, "line 2: no NAME=VALUE")]
    [InlineData("x-key=hunter,b\n", 0b110_000_000, "line 1: a comma")]
    [InlineData(null, 0, "cannot be read")]
    public void Headers_that_cannot_be_used_refuse_the_start_without_showing_them(string? text, int mode, string message)
    {
        var path = Path.Combine(Path.GetTempPath(), $"funcx-headers-{Guid.NewGuid():N}");
        try
        {
            if (text is not null)
            {
                File.WriteAllText(path, text);
                File.SetUnixFileMode(path, (UnixFileMode)mode);
            }

            var settings = new ServiceSettings(RunningService.NewDirectory(), new FuncX.Service.Limits.ServiceLimits())
            {
                Telemetry = new TelemetryConfiguration { Traces = 1, Otlp = new OtlpConfiguration { HeadersFile = path } },
            };
            var refused = Should.Throw<ServiceRefusedException>(() => ServiceHost.Build(settings));
            refused.Message.ShouldContain(message);
            refused.Message.ShouldNotContain("hunter");
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Headers_are_read_a_line_each()
    {
        var path = Path.Combine(Path.GetTempPath(), $"funcx-headers-{Guid.NewGuid():N}");
        File.WriteAllText(path, "authorization=Basic YTpi\n\nx-tenant = lab = 1 \n");
        File.SetUnixFileMode(path, FileModes.PrivateFile);
        OtlpExport.ReadHeaders(path).ShouldBe("authorization=Basic%20YTpi,x-tenant=lab%20%3D%201");
        File.Delete(path);
    }

    [Fact]
    public async Task Of_a_batch_that_a_snapshot_brought_back_the_submission_says_when_it_was_sent()
    {
        const long Sent = 1_767_000_000_000_000;
        await using var service = await RunningService.StartAsync(telemetry: s_toNobody);
        var function = service.RegisterFunction(service.AdminToken);
        var endpoint = service.Endpoints.Register(new RegisterEndpointRequest { Name = "away" }, RunningService.Bearer(service.AdminToken));
        var batch = BatchId.New(1);
        var id = new byte[BatchId.Size];
        batch.Write(id);
        var request = new SubmitRequest { BatchId = ByteString.CopyFrom(id), FunctionId = function.FunctionId, EndpointId = endpoint.EndpointId, Group = "g", ContentType = 1, ClientSent = Sent, Bodies = ByteString.CopyFromUtf8("[1]") };
        request.Lengths.Add(3);
        await new Tasks.TasksClient(service.Channel).SubmitAsync(request, RunningService.Bearer(service.AdminToken));
        var traced = await service.Get<TaskEngine>().LookAsync(static state => TracedTask.Of(state.Batches.Values.Single(), new TaskResult { Outcome = TaskOutcome.Cancelled }));
        traced.ClientSent.ShouldBe(Sent);
        traced.Accepted.ShouldBeGreaterThan(Sent);

        var spans = new System.Collections.Concurrent.ConcurrentDictionary<string, Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name.StartsWith("FuncX.", StringComparison.Ordinal),
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = span =>
            {
                if (span.TraceId == TaskTraces.TraceIdOf(traced.Task))
                    spans[span.OperationName] = span;
            },
        };
        ActivitySource.AddActivityListener(listener);
        var traces = service.Get<TaskTraces>();
        traces.Post(traced with { ClientSent = 0, Accepted = 0, ResultCommitted = traced.ServiceCommitted + 5 });
        SpinWait.SpinUntil(() => traces.Made == 1, TimeSpan.FromSeconds(30)).ShouldBeTrue();
        // What no hop did has no span.
        spans.Keys.ShouldBe(["task", "client submit", "service accept", "service commit"], ignoreOrder: true);
        spans["task"].StartTimeUtc.ShouldBe(DateTime.UnixEpoch.AddMicroseconds(Sent));
        spans["client submit"].StartTimeUtc.ShouldBe(DateTime.UnixEpoch.AddMicroseconds(Sent));
        (spans["client submit"].StartTimeUtc + spans["client submit"].Duration).ShouldBe(DateTime.UnixEpoch.AddMicroseconds(traced.Accepted));
        spans["task"].Status.ShouldBe(ActivityStatusCode.Error);
        spans["task"].GetTagItem("funcx.endpoint.name").ShouldBe("away");
    }

    [Fact]
    public async Task Tasks_that_come_faster_than_traces_can_be_made_are_left_out_and_counted()
    {
        var directory = RunningService.NewDirectory();
        // Not started: nobody takes what is posted.
        await using (var host = ServiceHost.Build(new ServiceSettings(directory, new FuncX.Service.Limits.ServiceLimits()) { LogLevel = LogLevel.None, Telemetry = s_toNobody }))
        {
            var traces = host.Services.GetRequiredService<TaskTraces>();
            for (var index = 0; index < 5_000; index++)
                traces.Post(new TracedTask(new TaskId(default, (uint)index), default) { Function = 0, Endpoint = 0, ClientSent = 1, Accepted = 1, ServiceCommitted = 1, Submission = default });
            traces.LeftOut.ShouldBe(5_000 - 4_096);
            traces.Made.ShouldBe(0);
        }

        Directory.Delete(directory, recursive: true);
    }
}
