using System.Runtime.InteropServices;
using FuncX.Manager;
using FuncX.Manager.Commands;
using FuncX.Manager.Engine;
using FuncX.Manager.Launching;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Manager.Spawning;
using FuncX.Manager.World;
using FuncX.Wire;

if (args is ["--spawner", .. var umask])
    return SpawnerProgram.Run(umask);
if (args is ["--command-worker", var kept])
    return CommandWorker.Run(kept);
if (args is ["--version"])
{
    Console.WriteLine($"funcx-manager {ProtocolVersion.Product}, protocol {ProtocolVersion.Minimum} to {ProtocolVersion.Maximum}");
    return 0;
}

if (args is ["--mpi-library"])
    return LibraryProbe.Print();
if (args is ["--nodes"])
    return JobNodes.Print();

var options = ManagerOptions.Parse(args, out var problem);
if (options is null)
{
    Console.Error.WriteLine($"funcx-manager: {problem}\n{ManagerOptions.Usage}");
    return 64;
}

// What the link brings is handled on the thread that polled for it. Read when the first socket is made.
Environment.SetEnvironmentVariable(NodeEnvironment.InlineCompletions, "1");

// Before anything else: later this process has threads and a network's memory, and makes no processes itself.
var spawner = Spawner.Start(Environment.GetEnvironmentVariable(NodeEnvironment.Umask));
if (options.World)
    return WorldProgram.Run(options, spawner);
if (options.Block)
    return BlockAgentProgram.Run(options, spawner);
int code;
Node? node = null;
try
{
    Directory.CreateDirectory(options.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    if (BlockEnd.Find(options.Walltime, DateTimeOffset.UtcNow) is { } found)
        options = options with { DrainAt = found.DrainAt, DrainFor = found.DrainFor };
    node = new Node(options, spawner);
    using var slabs = new SlabPool();
    void Stop(PosixSignalContext signal)
    {
        signal.Cancel = true;
        node.Drain(TimeSpan.FromSeconds(3));
    }

    using var drain = new Timer(timer => WaitForEnd((Timer)timer!));
    WaitForEnd(drain);
    // A timer waits for less than fifty days.
    void WaitForEnd(Timer timer)
    {
        // Asked each time: the job may have been made longer meanwhile.
        if (node.JobEnd is not { } end)
            return;
        var left = end.DrainAt - DateTimeOffset.UtcNow;
        if (left > TimeSpan.Zero)
            timer.Change(left < TimeSpan.FromDays(30) ? left : TimeSpan.FromDays(30), Timeout.InfiniteTimeSpan);
        else
            node.Drain(end.DrainFor);
    }

    using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
    var link = Task.Run(async () =>
    {
        try
        {
            await new EndpointDialler(new ManagerLink(node, slabs), options).RunAsync();
        }
        catch (Exception unexpected)
        {
            node.End(70, unexpected.ToString());
        }
    });
    code = node.Run();
    if (node.ExitReason.Length > 0)
        Console.Error.WriteLine($"funcx-manager {options.Node}: {node.ExitReason}");
}
catch (Exception unexpected)
{
    Console.Error.WriteLine($"funcx-manager {options.Node}: {unexpected}");
    code = 70;
}

if (!spawner.End(TimeSpan.FromSeconds(10)))
    Console.Error.WriteLine($"funcx-manager {options.Node}: the spawner did not end");
node?.Memory.Remove(TimeSpan.FromSeconds(1));
return code;
