using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Doctor;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint doctor</c>: what stands between a machine's file and an endpoint that works, looked at one after the other; each finding says what to do.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        var job = new Option<bool>("--job") { Description = "Ask the compute nodes too: submits a small job of one block's nodes, and leaves nothing of it" };
        var timeout = CommandOptions.Timeout("How long --job waits for its job", 600);
        var tokenFile = CommandOptions.TokenFile("for the first start");
        var command = new Command("doctor", "Check this machine against its file and say what to do about what is wrong; exit 1 when something is");
        var (argument, config) = CommandOptions.File(command);
        foreach (var option in (Option[])[json, job, timeout, tokenFile])
            command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) =>
        {
            if (ConfigurationLoading.Load((parsed.GetValue(argument) ?? parsed.GetValue(config))!) is not { } file)
                return ExitCode.Usage;
            TimeSpan? patience = parsed.GetValue(job) ? TimeSpan.FromSeconds(parsed.GetValue(timeout)) : null;
            return await RunAsync(file, parsed.GetValue(tokenFile)?.FullName, patience, parsed.GetValue(json), cancellation);
        });
        return command;
    }

    private static async Task<int> RunAsync(ConfigurationResult<EndpointConfiguration> file, string? tokenFile, TimeSpan? patience, bool json, CancellationToken cancellation)
    {
        using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Interrupt);
        using var made = new MadeDirectories(file.Value!.StateDirectory);
        var checks = DoctorChecks.Of(file, new Machine(TimeProvider.System), tokenFile, patience, TimeProvider.System, Console.Error.WriteLine);
        var findings = new List<Finding>();
        try
        {
            await foreach (var finding in new Examination(checks, TimeProvider.System).RunAsync(interrupted.Token))
            {
                findings.Add(finding);
                if (!json)
                    Console.WriteLine(finding);
            }
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("funcx-endpoint: interrupted; the checks that are left were not made");
            return ExitCode.Failed;
        }

        if (json)
            Console.WriteLine(JsonSerializer.Serialize(findings, EndpointStatusReport.Json));
        return findings.Exists(static finding => finding.State == FindingState.Problem) ? ExitCode.Failed : ExitCode.Done;

        // What was begun is undone first: a job is cancelled, a file removed.
        void Interrupt(PosixSignalContext context)
        {
            context.Cancel = true;
            interrupted.Cancel();
        }
    }
}
