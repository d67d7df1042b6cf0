using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint scale</c>: a number of blocks by hand, until the next start or <c>scale auto</c>.</summary>
internal static class ScaleCommand
{
    public static Command Create()
    {
        var config = CommandOptions.Config();
        var blocks = new Argument<string>("N|auto")
        {
            Description = "So many blocks from now on, whatever the demand, at most blocks.max; those that are too many finish what they run. auto: the demand decides again. Either asks for "
                + "missing blocks at once, also after blocks that failed",
        };
        var command = new Command("scale", "Set the number of blocks by hand; exit 3 when no endpoint runs") { blocks, config };
        command.SetAction(async (parsed, cancellation) => ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is { Value: { } file }
            ? await RunAsync(file, parsed.GetRequiredValue(blocks), cancellation)
            : ExitCode.Usage);
        return command;
    }

    private static async Task<int> RunAsync(EndpointConfiguration configuration, string blocks, CancellationToken cancellation)
    {
        using var control = new ControlClient(configuration.StateDirectory, TimeProvider.System);
        try
        {
            if (await control.ScaleAsync(blocks, cancellation))
            {
                Console.WriteLine(blocks == "auto" ? $"endpoint '{configuration.Name}': blocks follow the demand" : $"endpoint '{configuration.Name}': {blocks} blocks from now on");
                return ExitCode.Done;
            }
        }
        catch (ControlException problem)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
            return ExitCode.Failed;
        }

        await Console.Error.WriteLineAsync(StopCommand.NotRunning(configuration, control.Owner));
        return ExitCode.NotRunning;
    }
}
