using System.Runtime.InteropServices;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Launching;
using FuncX.Manager.Link;
using FuncX.Manager.Spawning;
using FuncX.Manager.World.Broadcast;
using FuncX.Manager.World.Functions;
using FuncX.Mpi;

namespace FuncX.Manager.World;

/// <summary><c>funcx-manager --world</c>: one rank of an MPI program. The calling thread becomes the one that MPI belongs to.</summary>
internal static class WorldProgram
{
    /// <summary>There is no MPI library, or none that is usable.</summary>
    private const int NoLibrary = 69;

    /// <summary>The world is not as large as it should be.</summary>
    private const int WrongSize = 78;

    // What all ranks together may have on its way to the leader, and so what it holds of theirs; each as much as a large frame and some more at least.
    private const long WindowOfAll = 64 << 20;
    private const long SmallestWindow = 640 << 10;
    private const long LargestWindow = 4 << 20;
    private const int BufferBytesKept = 4 << 20;
    private static readonly TimeSpan s_terminated = TimeSpan.FromSeconds(3);

    // As the scheduler calls it: the agent has its name from there.
    private static string NodeName => Environment.GetEnvironmentVariable("SLURMD_NODENAME") ?? Environment.MachineName;

    public static int Run(ManagerOptions options, Spawner spawner)
    {
        var directory = options.Directory;
        var marks = options.Launch > 0 ? new WorldMarks(directory, options.Launch) : null;
        if (marks is not null)
            spawner.OnDeath(marks.OfLost(rank: null, NodeName));
        MpiRuntime? mpi = null;
        Node? node = null;
        WorldEnd end;
        var name = options.Node;
        try
        {
            mpi = MpiRuntime.Initialize(new MpiOptions { BufferBytesKept = BufferBytesKept, MaxOutstandingSends = 65_536 });
            name = mpi.ProcessorName;
            if (WorldSize.Problem(options.Ranks, mpi.World.Size, mpi.Library, Environment.GetEnvironmentVariable) is { } problem)
            {
                end = new WorldEnd(WrongSize, problem, Together: true);
            }
            else
            {
                if (marks is not null)
                    spawner.OnDeath(marks.OfLost(mpi.World.Rank, NodeName));
                name = WorldNames.Agree(mpi);
                options = options with { Node = name, Directory = Path.Combine(options.Directory, $"rank-{mpi.World.Rank}") };
                end = Serve(mpi, options, spawner, marks, out node);
            }
        }
        catch (MpiLibraryException unusable)
        {
            end = new WorldEnd(NoLibrary, unusable.Message, Together: false);
        }
        catch (Exception unexpected)
        {
            end = new WorldEnd(70, unexpected.ToString(), Together: false);
        }

        if (end.Reason.Length > 0)
            Console.Error.WriteLine($"funcx-manager {name}: {end.Reason}");
        if (end.Code != 0 && end.Reason.Length > 0)
            WorldReason.Leave(directory, $"{name}: {end.Reason}");
        // Workers first: when MPI ends, the launcher may end what is left of this rank. One that is broken is as good as one that was killed, as long as the others go on.
        var isWorldOver = mpi?.World.Rank is null or 0 || end.Code is NoLibrary or WrongSize or WorldMember.NoLeader;
        if (!spawner.End(TimeSpan.FromSeconds(10), isDeath: end.Code != 0 && !isWorldOver))
            Console.Error.WriteLine($"funcx-manager {name}: the spawner did not end");
        node?.Memory.Remove(TimeSpan.FromSeconds(1));
        if (isWorldOver)
            marks?.SayOver(end.Code);
        else if (end.Code == Spawner.Died)
            marks?.OfLost(mpi!.World.Rank, NodeName).Leave();
        Leave(mpi, end);
        return end.Code;
    }

    private static WorldEnd Serve(MpiRuntime mpi, ManagerOptions options, Spawner spawner, WorldMarks? marks, out Node? node)
    {
        var slabs = new SlabPool();
        var thread = new WorldThread(mpi);
        var window = Math.Clamp(WindowOfAll / mpi.World.Size, SmallestWindow, LargestWindow);
        var leads = mpi.World.Rank == 0;
        var manages = !(leads && options.LeaderOnly);
        var broadcast = new BroadcastPart(thread, options);
        var functions = new FunctionPart(thread);
        var leader = leads ? new WorldLeader(thread, options.Node, slabs, broadcast, functions, manages, window) : null;
        if (options.DrainAt is { } drainAt)
            leader?.DrainBefore(BlockEnd.Told(drainAt, options.DrainFor));
        using var looks = leader is null || marks is null ? null : new LostRankLooks(leader, marks);
        WorldMember? member = null;
        Node? own = null;
        if (manages)
        {
            Directory.CreateDirectory(options.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            own = new Node(options, spawner);
            own.Staging.Source = broadcast.Source;
            member = new WorldMember(thread, own, slabs, broadcast, functions, options, window);
        }

        node = own;
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            // The leader is what the others speak through: with it the world ends.
            if (leader is not null)
                leader.DrainAll(s_terminated);
            else
                own!.Drain(s_terminated);
        }

        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        if (own is not null)
            Start("node", () => member!.OnNodeEnd(own.Run(), own.ExitReason), problem => member!.OnNodeEnd(70, problem));
        if (leader is not null)
            _ = DialAsync(leader, options);
        return thread.Run([.. new IWorldPart?[] { leader, member, functions, broadcast }.OfType<IWorldPart>()]);
    }

    private static async Task DialAsync(WorldLeader leader, ManagerOptions options)
    {
        await Task.Yield();
        try
        {
            await new EndpointDialler(leader, options).RunAsync();
        }
        catch (Exception unexpected)
        {
            leader.End(70, unexpected.ToString());
        }
    }

    private static void Start(string name, Action run, Action<string> failed) => new Thread(() =>
    {
        try
        {
            run();
        }
        catch (Exception unexpected)
        {
            failed(unexpected.ToString());
        }
    })
    { IsBackground = true, Name = name }.Start();

    private static void Leave(MpiRuntime? mpi, WorldEnd end)
    {
        if (mpi is null)
            return;
        if (end.Together && mpi.Sends.Outstanding == 0)
        {
            mpi.FinalizeMpi();
            return;
        }

        // Without the leader nobody reaches the endpoint; without another rank the others go on where the launcher lets them. A launcher that was told to let them would
        // go on for ever when the leader was killed: who misses it ends the world.
        if (end.Code != 0 && (mpi.World.Rank == 0 || end.Code == WorldMember.NoLeader))
            mpi.World.Abort(end.Code);
        Libc.ExitNow(end.Code);
    }
}
