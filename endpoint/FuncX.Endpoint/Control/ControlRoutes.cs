using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.Managers;
using FuncX.Wire;

namespace FuncX.Endpoint.Control;

/// <summary>The control socket's requests: <c>GET /status</c>, <c>POST /stop</c>, and <c>POST /supersede</c> by a newer process on this machine.</summary>
public static partial class ControlRoutes
{
    public static void MapControl(this WebApplication app, EndpointAddresses addresses)
    {
        var services = app.Services;
        var configuration = services.GetRequiredService<EndpointConfiguration>();
        var identity = services.GetRequiredService<EndpointIdentity>();
        var supervisor = services.GetRequiredService<BlockSupervisor>();
        var exit = services.GetRequiredService<EndpointExit>();
        var logger = services.GetRequiredService<ILogger<EndpointHost>>();
        var loop = services.GetRequiredService<EndpointLoop>();
        var started = services.GetRequiredService<TimeProvider>().GetUtcNow();
        app.MapGet("/status", (RequestDelegate)(async context =>
        {
            var snapshot = await loop.DescribeAsync();
            var report = new EndpointStatusReport
            {
                Name = configuration.Name,
                EndpointId = identity.EndpointId,
                Service = configuration.Service,
                State = app.Lifetime.ApplicationStopping.IsCancellationRequested ? "stopping" : "running",
                Pid = Environment.ProcessId,
                Host = Environment.MachineName,
                Version = ProtocolVersion.Product,
                Started = started,
                Addresses = addresses.Bound,
                Dispatch = JsonSerializer.SerializeToElement(snapshot, EndpointStatusReport.Json),
                Blocks = [.. supervisor.Current().Select(block => Report(block, snapshot.AgentNotes.GetValueOrDefault(block.BlockId, ""), snapshot.Staging.GetValueOrDefault(block.BlockId)))],
            };
            await context.Response.WriteAsJsonAsync(report, EndpointStatusReport.Json, context.RequestAborted);
        }));
        app.MapPost("/stop", (RequestDelegate)(context =>
        {
            if (context.Request.Query.ContainsKey("force"))
                exit.Force();
            if (context.Request.Query.ContainsKey("keep"))
                exit.Keep();
            return EndAfterAnswer(context, app.Lifetime);
        }));
        app.MapPost("/supersede", (RequestDelegate)(context =>
        {
            exit.Supersede("superseded: a newer process of this endpoint has started on this machine. Its blocks stay with it.");
            Superseded(logger, exit.Message);
            return EndAfterAnswer(context, app.Lifetime);
        }));
    }

    private static BlockReport Report(KnownBlock block, string agent, BlockStaging? staging) => new(block.BlockId, SnakeCase.Of(block.State), block.Nodes, block.RequestedAt,
        string.Join("; ", ((string[])[block.Reason, agent]).Where(static text => text.Length > 0)), block.JobId, staging);

    // After the answer is out: the stop closes this connection too.
    private static Task EndAfterAnswer(HttpContext context, IHostApplicationLifetime lifetime)
    {
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.OnCompleted(() =>
        {
            lifetime.StopApplication();
            return Task.CompletedTask;
        });
        return Task.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void Superseded(ILogger logger, string message);
}
