using System.Collections.Concurrent;
using System.Net;
using FuncX.Tests.Integration.Observation.Otlp;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncX.Tests.Integration.Observation;

/// <summary>Receives traces and metrics on loopback by both ways of OTLP: gRPC, and protobuf over HTTP.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConcurrentQueue<ReceivedSpan> _spans = new();
    private readonly ConcurrentQueue<MetricsOfResource> _metrics = new();
    private readonly ConcurrentQueue<string> _headers = new();
    private int _requests;

    private OtlpReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, static listener => listener.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPAddress.Loopback, 0, static listener => listener.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        _application = builder.Build();
        _application.Use(async (context, next) =>
        {
            Interlocked.Increment(ref _requests);
            foreach (var header in context.Request.Headers)
                _headers.Enqueue($"{header.Key}={header.Value}");
            await next(context);
        });
        _application.MapGrpcService<Traces>();
        _application.MapGrpcService<Metrics>();
        _application.MapPost("/v1/traces", (RequestDelegate)(async context => Take(TraceRequest.Parser.ParseFrom(await BodyAsync(context)))));
        _application.MapPost("/v1/metrics", (RequestDelegate)(async context => Take(MetricsRequest.Parser.ParseFrom(await BodyAsync(context)))));
    }

    public string GrpcAddress => _application.Urls.First();

    public string HttpAddress => _application.Urls.Last();

    /// <summary>Requests of any kind.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public IReadOnlyList<ReceivedSpan> Spans => [.. _spans];

    public IReadOnlyList<MetricsOfResource> MetricsOfResources => [.. _metrics];

    /// <summary><c>name=value</c> of every header of every request.</summary>
    public IReadOnlyCollection<string> Headers => _headers;

    public static async Task<OtlpReceiver> StartAsync()
    {
        var receiver = new OtlpReceiver();
        await receiver._application.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private static async Task<byte[]> BodyAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        return body.ToArray();
    }

    private void Take(TraceRequest request)
    {
        foreach (var resource in request.ResourceSpans)
        {
            foreach (var scope in resource.ScopeSpans)
            {
                foreach (var span in scope.Spans)
                    _spans.Enqueue(new ReceivedSpan(resource.Resource, scope.Scope.Name, span));
            }
        }
    }

    private void Take(MetricsRequest request)
    {
        foreach (var resource in request.ResourceMetrics)
            _metrics.Enqueue(resource);
    }

    private sealed class Traces(OtlpReceiver receiver) : TraceService.TraceServiceBase
    {
        public override Task<TraceReply> Export(TraceRequest request, ServerCallContext context)
        {
            receiver.Take(request);
            return Task.FromResult(new TraceReply());
        }
    }

    private sealed class Metrics(OtlpReceiver receiver) : MetricsService.MetricsServiceBase
    {
        public override Task<MetricsReply> Export(MetricsRequest request, ServerCallContext context)
        {
            receiver.Take(request);
            return Task.FromResult(new MetricsReply());
        }
    }
}

/// <summary>A span with where it comes from.</summary>
internal sealed record ReceivedSpan(Resource Resource, string Scope, Span Span)
{
    public string Trace => Convert.ToHexStringLower(Span.TraceId.Span);

    public string Id => Convert.ToHexStringLower(Span.SpanId.Span);

    public string Parent => Convert.ToHexStringLower(Span.ParentSpanId.Span);

    /// <summary>Unix microseconds.</summary>
    public (long From, long To) Times => ((long)(Span.StartTimeUnixNano / 1_000), (long)(Span.EndTimeUnixNano / 1_000));

    public string? Attribute(string name) => Find(Span.Attributes, name);

    public string? ResourceAttribute(string name) => Find(Resource.Attributes, name);

    private static string? Find(IEnumerable<Otlp.Attribute> attributes, string name) => attributes.FirstOrDefault(attribute => attribute.Key == name)?.Value switch
    {
        { ValueCase: AttributeValue.ValueOneofCase.IntValue } number => number.IntValue.ToString(System.Globalization.CultureInfo.InvariantCulture),
        { } text => text.StringValue,
        null => null,
    };
}
