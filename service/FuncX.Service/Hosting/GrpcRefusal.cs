using Grpc.Core;
using Microsoft.Net.Http.Headers;

namespace FuncX.Service.Hosting;

/// <summary>Answers a gRPC call before gRPC itself sees it: a response of headers only.</summary>
public static class GrpcRefusal
{
    /// <param name="message">ASCII without percent signs; anything else is replaced, since the metadata's encoding belongs to gRPC.</param>
    public static Task WriteAsync(HttpResponse response, StatusCode code, string message)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.Headers[HeaderNames.ContentType] = "application/grpc";
        response.Headers["grpc-status"] = ((int)code).ToString();
        response.Headers["grpc-message"] = string.Create(message.Length, message, static (span, text) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = text[i] is >= ' ' and <= '~' and not '%' ? text[i] : '?';
        });
        return Task.CompletedTask;
    }
}
