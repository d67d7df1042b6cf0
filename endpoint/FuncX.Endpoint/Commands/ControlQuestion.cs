using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary>What a command has to say to a running endpoint; why there was no answer is said on stderr, and is the same for all of them.</summary>
internal static class ControlQuestion
{
    /// <summary>Asks, and gives the exit code.</summary>
    /// <param name="configuration">The endpoint's.</param>
    /// <param name="ask">What is asked; its answer is the exit code, or null: no endpoint runs on this machine, or none any more.</param>
    public static async Task<int> AskAsync(EndpointConfiguration configuration, Func<ControlClient, Task<int?>> ask)
    {
        using var control = new ControlClient(configuration.StateDirectory, TimeProvider.System);
        try
        {
            if (await ask(control) is { } code)
                return code;
        }
        catch (ControlException problem)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
            return ExitCode.Failed;
        }

        await Console.Error.WriteLineAsync(control.Owner is { IsOnThisMachine: false } elsewhere
            ? $"endpoint '{configuration.Name}' is not running on this machine: it runs on host {elsewhere.Host} with pid {elsewhere.Pid}, or was killed there; ask on that host"
            : $"endpoint '{configuration.Name}' is not running");
        return ExitCode.NotRunning;
    }

    /// <summary>Asks what it is doing.</summary>
    /// <returns>Null with the exit code when there is no answer.</returns>
    public static async Task<(EndpointStatusReport? Status, int Code)> StatusAsync(EndpointConfiguration configuration, CancellationToken cancellation)
    {
        EndpointStatusReport? status = null;
        var code = await AskAsync(configuration, async control => (status = await control.StatusAsync(cancellation)) is null ? null : ExitCode.Done);
        return (status, code);
    }
}
