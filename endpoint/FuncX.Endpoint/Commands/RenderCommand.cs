using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Local;

namespace FuncX.Endpoint.Commands;

/// <summary>
/// <c>funcx-endpoint render</c>: on stdout the batch script that would be submitted for a block, as it is, and nothing else; on stderr the commands, what the block's agent runs and the
/// environment. Nothing is submitted and nothing written.
/// </summary>
internal static class RenderCommand
{
    // What a block is called, and whose it is, is known once the endpoint is registered and asks for one.
    private const string Block = "BLOCK";
    private const string Owner = "OWNER";

    public static Command Create()
    {
        var command = new Command("render", "Print the batch script that would be submitted for a block, and on stderr the commands; nothing is submitted");
        var (argument, config) = CommandOptions.File(command);
        command.SetAction(parsed => Run((parsed.GetValue(argument) ?? parsed.GetValue(config))!));
        return command;
    }

    private static int Run(FileInfo config)
    {
        if (ConfigurationLoading.Load(config) is not { Value: { } configuration } file)
            return ExitCode.Usage;
        ConfigurationLoading.Print(EndpointSupport.Unsupported(file), "note");
        var job = new BatchJob(Request(configuration));
        try
        {
            if (BatchSchedulers.Of(configuration) is { } scheduler)
                Print(job, scheduler, configuration);
            else
                Print(job, configuration);
            return ExitCode.Done;
        }
        catch (BlockProviderException problem)
        {
            Console.Error.WriteLine($"{file.File}: {problem.Message}");
            return ExitCode.Failed;
        }
    }

    private static void Print(BatchJob job, IBatchScheduler scheduler, EndpointConfiguration configuration)
    {
        Console.Error.WriteLine($"# {Block} is the block's id, {Owner} stands for this endpoint at its service.");
        Console.Error.WriteLine($"# {job.ScriptPath} is submitted by: {scheduler.Submit(job)}");
        Console.Error.WriteLine($"# every {Quantities.Write(configuration.Provider.PollInterval)} one question about all blocks: {scheduler.Queries[0].Command(["JOB..."])}");
        Console.Error.WriteLine($"# and to end it: {scheduler.Cancel("JOB")}");
        Console.Error.WriteLine("# The commands have this shell's environment without FUNCX_* secrets; what of it reaches the job is the scheduler's affair.");
        PrintLaunch(job, configuration);
        Console.Out.Write(scheduler.Script(job));
    }

    private static void Print(BatchJob job, EndpointConfiguration configuration)
    {
        Console.Error.WriteLine(configuration.Provider.Type == ProviderKind.Allocation
            ? "# The allocation provider submits nothing: in the job that it is started in the endpoint starts this itself, in a session of its own, with its output in node-0.log."
            : "# The local provider submits nothing: it starts these itself, each in a session of its own, with its output in node-N.log.");
        PrintLaunch(job, configuration);
        var provider = LocalProviders.Of(configuration, TimeProvider.System);
        for (var node = 0; node < provider.ProcessesOf(job.Block); node++)
            Console.WriteLine(new SchedulerCommand(job.Block.Manager, [.. provider.Arguments(job.Block, node)]));
    }

    private static void PrintLaunch(BatchJob job, EndpointConfiguration configuration)
    {
        var launch = new RenderedLaunch(configuration, job.Block, Environment.GetEnvironmentVariable("FUNCX_UMASK") ?? Umask(), Environment.GetEnvironmentVariable("FUNCX_MPI_LIBRARY"));
        foreach (var line in launch.LauncherLines().Concat(launch.VariableLines()))
            Console.Error.WriteLine($"# {line}");
    }

    private static string Umask() => File.ReadLines("/proc/self/status").First(static line => line.StartsWith("Umask:", StringComparison.Ordinal))["Umask:".Length..].Trim();

    private static BlockRequest Request(EndpointConfiguration configuration)
    {
        string manager;
        try
        {
            manager = ManagerProgram.Find(mayNeedRuntime: true).Path;
        }
        catch (EndpointRefusedException problem)
        {
            Console.Error.WriteLine($"# {problem.Message}");
            manager = "funcx-manager";
        }

        return new BlockRequests(configuration, Owner, manager).Of(Block, configuration.Provider.Nodes);
    }
}
