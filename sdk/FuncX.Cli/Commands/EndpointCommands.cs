using System.CommandLine;
using FuncX.Cli.Output;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx endpoint list|show|delete</c>.</summary>
internal static class EndpointCommands
{
    public static Command Create(CommandLine commands) => new("endpoint", "List, show and delete endpoints.")
    {
        List(commands),
        Show(commands),
        Delete(commands),
    };

    private static Command List(CommandLine commands)
    {
        var command = new Command("list", "List your endpoints.");
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var endpoints = await client.Endpoints.ListAsync(cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(endpoints.Select(Document));
                return ExitCodes.Ok;
            }

            var table = Tables.New("name", "state", "blocks", "workers", "waiting", "running", "version", "last seen", "note");
            foreach (var endpoint in endpoints)
            {
                var status = endpoint.Status ?? new EndpointStatus();
                table.Add(
                    endpoint.Name,
                    State(endpoint),
                    $"{status.BlocksRunning}",
                    $"{status.WorkersBusy}/{status.Workers}",
                    $"{endpoint.Queued + status.Queued}",
                    $"{status.Running}",
                    endpoint.Version,
                    Tables.Time(endpoint.LastSeen),
                    status.Note);
            }

            invocation.Terminal.People.Write(table);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Show(CommandLine commands)
    {
        var named = Named();
        var command = new Command("show", "Show one endpoint with its state.") { named };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var endpoint = await client.Endpoints.GetAsync(invocation.Parsed.GetRequiredValue(named), cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(Document(endpoint));
                return ExitCodes.Ok;
            }

            var status = endpoint.Status ?? new EndpointStatus();
            var table = Tables.New("endpoint", endpoint.Name);
            table.Add("id", endpoint.EndpointId);
            table.Add("description", endpoint.Description);
            table.Add("state", State(endpoint));
            table.Add("epoch", $"{endpoint.Epoch}");
            table.Add("last seen", Tables.Time(endpoint.LastSeen));
            table.Add("registered", Tables.Time(endpoint.RegisteredAt));
            table.Add("version", endpoint.Version);
            table.Add("blocks", $"{status.BlocksRunning} running, {status.BlocksRequested} requested");
            table.Add("managers", $"{status.Managers}");
            table.Add("workers", $"{status.WorkersBusy} busy of {status.Workers}");
            table.Add("tasks at the service", $"{endpoint.Queued} waiting, {endpoint.Dispatched} sent and not finished");
            table.Add("tasks at the endpoint", $"{status.Queued} waiting, {status.Running} at managers, {status.Completed} completed");
            table.Add("results held", $"{status.ResultsHeld} ({status.SpoolBytes} bytes in the spool)");
            if (status.Note.Length > 0)
                table.Add("note", status.Note);
            invocation.Terminal.People.Write(table);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Delete(CommandLine commands)
    {
        var named = Named();
        var command = new Command("delete", "Delete an endpoint; tasks it has not finished end as cancelled.") { named };
        commands.On(command, async (invocation, cancellation) =>
        {
            await using var client = invocation.Connect();
            var endpoint = await client.Endpoints.GetAsync(invocation.Parsed.GetRequiredValue(named), cancellation);
            await client.Endpoints.DeleteAsync(endpoint, cancellation);
            if (invocation.IsJson)
                invocation.WriteJson(new { Deleted = endpoint.EndpointId });
            else
                await invocation.Terminal.Output.WriteLineAsync($"Deleted endpoint {endpoint.Name} ({endpoint.EndpointId}).");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Argument<string> Named() => new("endpoint") { Description = "An endpoint's id or name." };

    private static string State(EndpointInfo endpoint) => endpoint.Online ? "online" : "offline";

    private static object Document(EndpointInfo endpoint)
    {
        var status = endpoint.Status ?? new EndpointStatus();
        return new
        {
            endpoint.EndpointId,
            endpoint.Name,
            endpoint.Description,
            endpoint.Online,
            endpoint.LastSeen,
            endpoint.RegisteredAt,
            endpoint.Epoch,
            endpoint.Version,
            endpoint.Queued,
            endpoint.Dispatched,
            Status = new
            {
                status.BlocksRequested,
                status.BlocksRunning,
                status.Managers,
                status.Workers,
                status.WorkersBusy,
                status.Queued,
                status.Running,
                status.ResultsHeld,
                status.SpoolBytes,
                status.Completed,
                status.Note,
            },
        };
    }
}
