using System.CommandLine;
using FuncX.Configuration;
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

    private static Task<int> RunAsync(EndpointConfiguration configuration, string blocks, CancellationToken cancellation) => ControlQuestion.AskAsync(configuration, async control =>
    {
        if (!await control.ScaleAsync(blocks, cancellation))
            return null;
        Console.WriteLine(blocks == "auto" ? $"endpoint '{configuration.Name}': blocks follow the demand" : $"endpoint '{configuration.Name}': {blocks} blocks from now on");
        return ExitCode.Done;
    });
}
