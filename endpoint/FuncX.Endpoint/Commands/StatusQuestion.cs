using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary>Asks a running endpoint what it is doing, and says on stderr why there is no answer.</summary>
internal static class StatusQuestion
{
    /// <returns>Null with the exit code when there is no answer.</returns>
    public static async Task<(EndpointStatusReport? Status, int Code)> AskAsync(EndpointConfiguration configuration, CancellationToken cancellation)
    {
        using var control = new ControlClient(configuration.StateDirectory, TimeProvider.System);
        try
        {
            if (await control.StatusAsync(cancellation) is { } status)
                return (status, ExitCode.Done);
        }
        catch (ControlException problem)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
            return (null, ExitCode.Failed);
        }

        await Console.Error.WriteLineAsync(StopCommand.NotRunning(configuration, control.Owner));
        return (null, ExitCode.NotRunning);
    }
}
