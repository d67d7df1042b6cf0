using System.Diagnostics;
using System.Globalization;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace FuncX.Service.Observation;

/// <summary>Measures every call of a method that the service has. Behind the routing, which knows the method; there only while metrics are wanted.</summary>
public sealed class RequestMetricsMiddleware(RequestDelegate next, ServiceMetrics metrics)
{
    private const string Status = "grpc-status";

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method is not { } method)
        {
            await next(context);
            return;
        }

        var isStream = method.Type != MethodType.Unary;
        if (isStream)
            metrics.Opened(method.FullName);
        var began = Stopwatch.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            if (isStream)
                metrics.Closed(method.FullName);
            metrics.Answered(method.FullName, CodeOf(context), Stopwatch.GetElapsedTime(began));
        }
    }

    // Trailers, or headers when there is nothing else; neither when the client went away.
    private static StatusCode CodeOf(HttpContext context)
    {
        var text = context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers[Status].ToString();
        if (string.IsNullOrEmpty(text))
            text = context.Response.Headers[Status].ToString();
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var code) && Enum.IsDefined((StatusCode)code) ? (StatusCode)code : StatusCode.Cancelled;
    }
}
