using System.Globalization;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.Managers;
using FuncX.Wire;

namespace FuncX.Endpoint.Control;

/// <summary>The control socket's requests: <c>GET /status</c>, <c>POST /stop</c>, <c>/drain</c>, <c>/scale</c>, and <c>POST /supersede</c> by a newer process on this machine.</summary>
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
        var dispatch = services.GetRequiredService<DispatchLifetime>();
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
                State = app.Lifetime.ApplicationStopping.IsCancellationRequested ? "stopping" : exit.IsDraining ? "draining" : "running",
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
        app.MapPost("/drain", (RequestDelegate)(context =>
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            if (exit.IsDraining)
                return Task.CompletedTask;
            exit.Drain();
            Drains(logger, configuration.Name);
            _ = DrainAsync(dispatch, app.Lifetime);
            return Task.CompletedTask;
        }));
        app.MapPost("/scale", (RequestDelegate)(async context =>
        {
            var text = context.Request.Query["blocks"].ToString();
            int? blocks = text == "auto" ? null : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;
            if (blocks is < 0 || blocks > configuration.Blocks.Max)
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                await context.Response.WriteAsync($"blocks is '{text}'; it must be auto, or 0 to {configuration.Blocks.Max} (blocks.max of the file that the endpoint was started with)");
                return;
            }

            await dispatch.ScaleAsync(blocks);
            Scaled(logger, configuration.Name, text);
            context.Response.StatusCode = StatusCodes.Status202Accepted;
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

    private static async Task DrainAsync(DispatchLifetime dispatch, IHostApplicationLifetime lifetime)
    {
        await dispatch.DrainAsync(lifetime.ApplicationStopping);
        lifetime.StopApplication();
    }

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

    [LoggerMessage(Level = LogLevel.Information, Message = "endpoint '{Name}' drains: it takes no more tasks, and stops once those that run have ended")]
    private static partial void Drains(ILogger logger, string name);

    [LoggerMessage(Level = LogLevel.Information, Message = "endpoint '{Name}' has been told how many blocks to have: {Blocks}")]
    private static partial void Scaled(ILogger logger, string name, string blocks);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void Superseded(ILogger logger, string message);
}
