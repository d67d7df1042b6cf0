using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Commands;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint;

/// <summary><c>funcx-endpoint</c>.</summary>
public static class Program
{
    public static async Task<int> Main(string[] args)
    {
        // Results wait in blocks of 16 KiB; beyond what the pool keeps (32 for each core when nothing is said) every one is allocated anew. A young generation of 64 MiB
        // is collected a quarter as often. Benchmark: bench engine, allocated_bytes_per_task.
        if (args is ["start", ..] && !args.Contains("--detach"))
            RuntimeEnvironment.Apply(("DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION", "512"), ("DOTNET_GCgen0size", "4000000"));
        // What a socket brings is handled on the thread that polled for it: one hop less in each direction. Read when the first socket is made.
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        var root = new RootCommand("The FuncX endpoint: runs the functions of a service on this machine or its cluster.")
        {
            InitCommand.Create(),
            ValidateCommand.Create(),
            RenderCommand.Create(),
            DoctorCommand.Create(),
            SchemaCommand.Create(),
            StartCommand.Create(),
            RestartCommand.Create(),
            StopCommand.Create(),
            StatusCommand.Create(),
            BlocksCommand.Create(),
            ScaleCommand.Create(),
            DrainCommand.Create(),
            LogsCommand.Create(),
            DeleteCommand.Create(),
        };
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            await parsed.InvokeAsync();
            return ExitCode.Usage;
        }

        // Signals are the running endpoint's own business: it drains and ends its blocks.
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false });
        }
        catch (Exception defect)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: a defect of this program: {defect}");
            return ExitCode.Broken;
        }
    }
}
