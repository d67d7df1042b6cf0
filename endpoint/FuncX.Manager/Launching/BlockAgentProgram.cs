using System.Runtime.InteropServices;
using FuncX.Manager.Link;
using FuncX.Manager.Spawning;

namespace FuncX.Manager.Launching;

/// <summary><c>funcx-manager --block</c>.</summary>
internal static class BlockAgentProgram
{
    /// <summary>No launcher, or no nodes.</summary>
    public const int NoLauncher = 69;

    /// <summary>No world could be kept running.</summary>
    public const int NoWorld = 1;

    public static int Run(ManagerOptions options, Spawner spawner)
    {
        int code;
        try
        {
            Directory.CreateDirectory(options.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var allocation = options.Hosts.Length > 0 ? null : Allocation.Find(Environment.GetEnvironmentVariable, File.ReadLines);
            IReadOnlyList<string> nodes = allocation?.Nodes ?? (options.Hosts.Length > 0 ? HostList.Expand(options.Hosts)
                : throw new FormatException("this is no job of Slurm, PBS or Cobalt, so its nodes must be named with --hosts"));
            code = Serve(options, allocation, nodes, spawner);
        }
        catch (Exception problem) when (problem is FormatException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"funcx-manager --block: {problem.Message}");
            code = NoLauncher;
        }
        catch (Exception unexpected)
        {
            Console.Error.WriteLine($"funcx-manager --block: {unexpected}");
            code = 70;
        }

        if (!spawner.End(TimeSpan.FromSeconds(10)))
            Console.Error.WriteLine("funcx-manager --block: the spawner did not end");
        return code;
    }

    private static int Serve(ManagerOptions options, Allocation? allocation, IReadOnlyList<string> nodes, Spawner spawner)
    {
        var agent = new BlockAgent(options, allocation, nodes, spawner);
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            agent.End(0, "");
        }

        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        _ = DialAsync(agent, options);
        return agent.Run();
    }

    private static async Task DialAsync(BlockAgent agent, ManagerOptions options)
    {
        await Task.Yield();
        try
        {
            await new EndpointDialler(agent.Link, options).RunAsync();
        }
        catch (Exception unexpected)
        {
            agent.End(70, unexpected.ToString());
        }
    }
}
