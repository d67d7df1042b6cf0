using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Spawning;

/// <summary>
/// The spawner: <c>funcx-manager --spawner [UMASK]</c>, started by the manager before anything else. It makes every process of the node, so the
/// manager never forks. Orphans of its children come to it (child subreaper) and are reaped. When its socket ends, by the manager's exit
/// or its death, it kills every process that descends from it and ends. It asks for no death signal: that would kill the one who cleans up.
/// </summary>
internal static unsafe class SpawnerProgram
{
    /// <summary>Largest request: an argument list with an environment.</summary>
    public const int MaxMessage = 1 << 20;

    /// <summary>How this program is started again: compiled it is one file, as a build of a working copy it may run under dotnet.</summary>
    public static IReadOnlyList<string> This
    {
        get
        {
            var program = Environment.ProcessPath ?? "/proc/self/exe";
            return string.Equals(Path.GetFileName(program), "dotnet", StringComparison.Ordinal) ? [program, Path.Combine(AppContext.BaseDirectory, "funcx-manager.dll")] : [program];
        }
    }

    private static readonly Lock s_gate = new();
    private static readonly HashSet<int> s_children = [];
    private static readonly SemaphoreSlim s_born = new(0);

    public static int Run(string[] umask)
    {
        // It makes no files itself.
        if (umask is [var octal])
        {
            if (octal.Length is 0 or > 4 || octal.AsSpan().ContainsAnyExceptInRange('0', '7'))
                return Fail($"the umask '{octal}' is not octal, like 022");
            _ = Libc.Umask(Convert.ToUInt32(octal, 8));
        }

        // Slurm signals every process of a step. The manager's signal is the one that counts: without a spawner it could not answer what it ends.
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, static signal => signal.Cancel = true);
        if (Libc.Prctl(Libc.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
            return Fail($"prctl(PR_SET_CHILD_SUBREAPER) failed: {Libc.LastError()}");
        foreach (var name in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            if (int.TryParse(Path.GetFileName(name), out var descriptor) && descriptor > 2)
                _ = Libc.Fcntl(descriptor, Libc.F_SETFD, Libc.FD_CLOEXEC);
        }

        // The socket leaves 0, which children get their own descriptors over.
        var socket = Libc.Fcntl(0, Libc.F_DUPFD_CLOEXEC, 16);
        if (socket < 0)
            return Fail($"descriptor 0 is not a socket: {Libc.LastError()}");
        _ = Libc.Close(0);
        _ = Libc.Open("/dev/null", Libc.O_RDWR);
        new Thread(() => Reap(socket), 64 * 1024) { IsBackground = true }.Start();
        var buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
        Span<int> came = stackalloc int[DescriptorMessage.MaxDescriptors];
        var notice = default(DeathNotice);
        while (true)
        {
            var received = DescriptorMessage.Receive(socket, buffer, came, out var count, 0);
            if (received <= 0)
                break;
            if (received == 4)
            {
                // The next message has this many bytes.
                var needed = BinaryPrimitives.ReadInt32LittleEndian(buffer);
                if (needed > buffer.Length)
                    buffer = GC.AllocateUninitializedArray<byte>(Math.Min(needed, MaxMessage));
                continue;
            }

            if (DeathNotice.TryDecode(buffer.AsSpan(0, (int)received), out var other))
                notice = other;
            else
                Start(socket, buffer.AsSpan(0, (int)received), came[..count]);
        }

        // The node is free when it is said that its manager is gone.
        ProcessTree.KillDescendants();
        notice.Leave();
        return 0;
    }

    private static void Start(int socket, ReadOnlySpan<byte> message, Span<int> came)
    {
        Span<int> moved = stackalloc int[DescriptorMessage.MaxDescriptors];
        for (var i = 0; i < came.Length; i++)
        {
            moved[i] = Libc.Fcntl(came[i], Libc.F_DUPFD_CLOEXEC, 16);
            _ = Libc.Close(came[i]);
        }

        var request = SpawnRequest.Decode(message, out var id);
        int pid;
        lock (s_gate)
        {
            // A child has the CPUs of the thread that makes it.
            var own = request.Cpus.Count > 0 ? CpuMask.Current() : [];
            if (own.Length > 0)
                _ = CpuMask.Set([.. request.Cpus]);
            pid = Spawn.Start(request, moved[..came.Length]);
            if (own.Length > 0)
                _ = CpuMask.Set(own);
            if (pid > 0)
                s_children.Add(pid);
            Tell(socket, id, pid);
        }

        for (var i = 0; i < came.Length; i++)
            _ = Libc.Close(moved[i]);
        if (pid > 0)
            s_born.Release();
    }

    // siginfo_t: signo i32 | errno i32 | code i32 | pad | pid i32 at 16 | uid u32 at 20 | status i32 at 24
    private static void Reap(int socket)
    {
        var info = stackalloc byte[128];
        while (true)
        {
            if (Libc.WaitId(Libc.P_ALL, 0, info, Libc.WEXITED) < 0)
            {
                if (Marshal.GetLastPInvokeError() != Libc.EINTR)
                    s_born.Wait();
                continue;
            }

            var pid = *(int*)(info + 16);
            var status = *(int*)(info + 24);
            var code = *(int*)(info + 8) == Libc.CLD_EXITED ? status : -status;
            lock (s_gate)
            {
                if (s_children.Remove(pid))
                    Tell(socket, 0, pid, code);
            }
        }
    }

    // id u32 (0: an exit) | pid i32 (or minus the error of the start) | code i32
    private static void Tell(int socket, uint id, int pid, int code = 0)
    {
        Span<byte> answer = stackalloc byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(answer, id);
        BinaryPrimitives.WriteInt32LittleEndian(answer[4..], pid);
        BinaryPrimitives.WriteInt32LittleEndian(answer[8..], code);
        _ = DescriptorMessage.Send(socket, answer, default, 0);
    }

    private static int Fail(string reason)
    {
        var bytes = Encoding.UTF8.GetBytes($"funcx-manager --spawner: {reason}\n");
        fixed (byte* text = bytes)
            _ = Libc.Write(2, text, (nuint)bytes.Length);
        return 70;
    }
}
