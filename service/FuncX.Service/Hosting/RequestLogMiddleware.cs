using System.Diagnostics;
using FuncX.Service.Auth;

namespace FuncX.Service.Hosting;

/// <summary>One line for every call, when asked for.</summary>
public sealed partial class RequestLogMiddleware(RequestDelegate next, ILogger<RequestLogMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var began = Stopwatch.GetTimestamp();
        var path = context.Request.Path.Value ?? "";
        var connection = context.Connection.Id;
        LogBegin(logger, path, connection);
        await next(context);
        var user = context.Features.Get<Caller>()?.UserName ?? "-";
        var milliseconds = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        LogEnd(logger, path, connection, user, milliseconds);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Path} began on connection {Connection}")]
    private static partial void LogBegin(ILogger logger, string path, string connection);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Path} ended on connection {Connection}, user {User}, {Milliseconds:0.000} ms")]
    private static partial void LogEnd(ILogger logger, string path, string connection, string user, double milliseconds);
}
