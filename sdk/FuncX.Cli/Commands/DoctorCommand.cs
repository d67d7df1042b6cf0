using System.CommandLine;
using System.Diagnostics;
using FuncX.Cli.Output;
using FuncX.Client;
using FuncX.Contracts;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx doctor</c>: what stands between this user and a call that works, looked at one after the other; each finding says what to do.</summary>
internal static class DoctorCommand
{
    private const int RoundTrips = 5;

    public static Command Create(CommandLine commands)
    {
        var command = new Command("doctor", "Check the login, the service and your endpoints, and say what to do about what is wrong.");
        commands.On(command, async (invocation, cancellation) =>
        {
            var findings = new List<Finding>();
            await ExamineAsync(invocation, findings, cancellation);
            if (invocation.IsJson)
            {
                invocation.WriteJson(findings.Select(static finding => new { finding.Check, State = Name(finding.State), finding.Detail }));
            }
            else
            {
                var table = Tables.New("check", "state", "detail");
                foreach (var finding in findings)
                    table.Add(finding.Check, Name(finding.State), finding.Detail);
                invocation.Terminal.People.Write(table);
            }

            return findings.Exists(static finding => finding.State == State.Failed) ? ExitCodes.Failed : ExitCodes.Ok;
        });
        return command;
    }

    private enum State
    {
        Ok,
        Warning,
        Failed,
    }

    private sealed record Finding(string Check, State State, string Detail);

    private static string Name(State state) => state.ToString().ToLowerInvariant();

    private static async Task ExamineAsync(Invocation invocation, List<Finding> findings, CancellationToken cancellation)
    {
        FuncXClient client;
        try
        {
            client = invocation.Connect();
            findings.Add(new Finding("login", State.Ok, invocation.TokenFile is { } file ? $"the token in {file}" : $"{CredentialsFile.DefaultPath}, mode 0600"));
        }
        catch (Exception problem) when (problem is FuncXException or InvalidDataException or UsageException or IOException or UnauthorizedAccessException)
        {
            findings.Add(new Finding("login", State.Failed, problem.Message));
            return;
        }

        await using (client)
        {
            if (await ServiceAsync(client, findings, cancellation))
                await EndpointsAsync(client, findings, cancellation);
        }
    }

    private static async Task<bool> ServiceAsync(FuncXClient client, List<Finding> findings, CancellationToken cancellation)
    {
        try
        {
            // The first call opens the connection.
            await client.Functions.ListAsync(1, cancellation);
            var times = new List<double>();
            for (var i = 0; i < RoundTrips; i++)
            {
                var clock = Stopwatch.StartNew();
                await client.Functions.ListAsync(1, cancellation);
                times.Add(clock.Elapsed.TotalMicroseconds);
            }

            findings.Add(new Finding("service", State.Ok, $"{client.Address.GetLeftPart(UriPartial.Authority)} answers in {Tables.Duration((long)times.Order().ElementAt(RoundTrips / 2))}, and takes the token"));
            return true;
        }
        catch (FuncXException problem)
        {
            findings.Add(new Finding("service", State.Failed, problem.Message));
            return false;
        }
    }

    private static async Task EndpointsAsync(FuncXClient client, List<Finding> findings, CancellationToken cancellation)
    {
        var endpoints = await client.Endpoints.ListAsync(cancellation);
        if (endpoints.Count == 0)
            findings.Add(new Finding("endpoints", State.Failed, "you have none. On the machine that shall run functions: funcx-endpoint init, then funcx-endpoint start"));
        foreach (var endpoint in endpoints)
            findings.Add(Examine(endpoint));
        if (endpoints.Count > 0 && !endpoints.Any(static endpoint => endpoint.Online))
            findings.Add(new Finding("endpoints", State.Failed, "none is online: calls wait at the service until one is"));
    }

    private static Finding Examine(EndpointInfo endpoint)
    {
        var check = $"endpoint {endpoint.Name}";
        var status = endpoint.Status ?? new EndpointStatus();
        if (!endpoint.Online)
            return new Finding(check, State.Warning, $"offline, last seen {Tables.Time(endpoint.LastSeen)}; on its machine: funcx-endpoint status, funcx-endpoint logs");
        if (status.Note.Length > 0)
            return new Finding(check, State.Warning, $"online; {status.Note}");
        if (endpoint.Version != ProtocolVersion.Product)
            return new Finding(check, State.Warning, $"online with version {endpoint.Version}; this command has {ProtocolVersion.Product}");
        return new Finding(check, State.Ok, $"online, {status.Workers} workers, {status.WorkersBusy} of them busy");
    }
}
