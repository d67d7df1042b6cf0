using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry.Metrics;

namespace FuncX.Telemetry;

/// <summary>The page that Prometheus reads, on a listener of its own that serves nothing else.</summary>
public static class MetricsPage
{
    public const string Path = "/metrics";

    private static readonly object s_mark = new();

    /// <summary>A listener for the page: HTTP/1.1, which is what Prometheus speaks.</summary>
    public static void ListenForMetrics(this KestrelServerOptions kestrel, IPEndPoint address) => kestrel.Listen(address, listener =>
    {
        listener.Protocols = HttpProtocols.Http1;
        listener.Use(next => connection =>
        {
            connection.Items[s_mark] = s_mark;
            return next(connection);
        });
    });

    /// <summary>Connections of the page's listener get the page and nothing else. Before everything that answers requests.</summary>
    public static void UseMetricsListener(this IApplicationBuilder application, MeterProvider metrics) => application.MapWhen(IsOfListener, branch =>
    {
        branch.UseMetricsPage(metrics);
        branch.Run(static context =>
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
    });

    /// <summary>The page on the listeners that there are.</summary>
    public static void UseMetricsPage(this IApplicationBuilder application, MeterProvider metrics) =>
        application.UseOpenTelemetryPrometheusScrapingEndpoint(metrics, static context => context.Request.Path == Path, path: null, configureBranchedPipeline: null, optionsName: null);

    private static bool IsOfListener(HttpContext context) => context.Features.Get<IConnectionItemsFeature>()?.Items.ContainsKey(s_mark) == true;
}
