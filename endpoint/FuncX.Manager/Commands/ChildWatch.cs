using System.Diagnostics;
using System.Runtime.InteropServices;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;

namespace FuncX.Manager.Commands;

/// <summary>How a command ended.</summary>
/// <param name="ReturnCode">Its exit status, or minus the signal that ended it; 124 when it had reached its walltime, as timeout(1) says it.</param>
/// <param name="TimedOut">It had reached its walltime.</param>
/// <param name="LeftBehind">Processes of it that were still there when it had ended, and were ended.</param>
internal readonly record struct CommandEnd(int ReturnCode, bool TimedOut, int LeftBehind);

/// <summary>Starts one command at a time and waits for it while its output is read. A thread of its own waits for the exit: pidfds are newer than many machines' kernels.</summary>
internal sealed unsafe class ChildWatch
{
    private const int TimedOutCode = 124;

    /// <summary>How long a command that was told to end may take.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(1);

    /// <summary>How long output may still come from processes that outlive the command's own.</summary>
    private static readonly TimeSpan s_rest = TimeSpan.FromMilliseconds(200);

    private readonly object _gate = new();
    private readonly int _news = Libc.EventFd(0, Libc.EFD_FLAGS);
    private int _pid;
    private bool _running;
    private volatile bool _exited;

    public ChildWatch() => new Thread(WaitForExits, 64 * 1024) { IsBackground = true }.Start();

    /// <summary>Makes <see cref="Wait"/> look again.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(_news, &one, sizeof(ulong));
    }

    public bool TryStart(SpawnRequest request, CommandOutput output, byte[]? stdin, out string problem)
    {
        problem = "";
        var input = stdin is null ? Libc.Open("/dev/null", Libc.O_RDWR | Libc.O_CLOEXEC) : InMemory(stdin);
        var descriptors = stackalloc int[] { Above(input), Above(output.Stdout.Child), Above(output.Stderr.Child) };
        var pid = Spawn.Start(request, new ReadOnlySpan<int>(descriptors, 3), ownSession: false);
        for (var i = 0; i < 3; i++)
            _ = Libc.Close(descriptors[i]);
        _ = Libc.Close(input);
        output.Stdout.CloseChild();
        output.Stderr.CloseChild();
        if (pid < 0)
        {
            problem = Marshal.GetPInvokeErrorMessage(-pid);
            return false;
        }

        lock (_gate)
        {
            _pid = pid;
            _exited = false;
            _running = true;
            Monitor.Pulse(_gate);
        }

        return true;
    }

    public CommandEnd Wait(CommandOutput output, TimeSpan? walltime, Func<bool> terminated)
    {
        var clock = Stopwatch.StartNew();
        var limit = walltime ?? TimeSpan.MaxValue;
        var (timedOut, killAt) = (false, TimeSpan.MaxValue);
        while (!_exited)
        {
            var due = killAt != TimeSpan.MaxValue ? killAt : limit;
            Poll(output, due - clock.Elapsed);
            if (_exited)
                break;
            if (killAt == TimeSpan.MaxValue && (terminated() || clock.Elapsed >= limit))
            {
                timedOut = !terminated();
                killAt = clock.Elapsed + s_grace;
                Signal(Libc.SIGTERM);
            }
            else if (clock.Elapsed >= killAt)
            {
                killAt = clock.Elapsed + s_grace;
                Signal(Libc.SIGKILL);
            }
        }

        var status = Reap();
        var left = EndTheRest(output);
        output.Stdout.Finish();
        output.Stderr.Finish();
        return new CommandEnd(timedOut ? TimedOutCode : status, timedOut, left);
    }

    // What a command leaves behind has this process for its parent by now.
    private int EndTheRest(CommandOutput output)
    {
        if (!HasChildren())
            return 0;
        var clock = Stopwatch.StartNew();
        while (HasChildren() && clock.Elapsed < s_rest && (output.Stdout.Descriptor >= 0 || output.Stderr.Descriptor >= 0))
            Poll(output, TimeSpan.FromMilliseconds(5));
        var left = ProcessTree.Descendants(Libc.GetPid()).Count;
        ProcessTree.KillDescendants();
        while (HasChildren())
            Thread.Sleep(1);
        return left;
    }

    private static void Signal(int signal)
    {
        foreach (var pid in ProcessTree.Descendants(Libc.GetPid()))
            _ = Libc.Kill(pid, signal);
    }

    // Reaps what has ended; true while something has not.
    private static bool HasChildren()
    {
        int status;
        int pid;
        while ((pid = Libc.WaitPid(-1, &status, Libc.WNOHANG)) > 0)
        {
        }

        return pid == 0;
    }

    // siginfo_t as in SpawnerProgram
    private int Reap()
    {
        var info = stackalloc byte[128];
        while (Libc.WaitId(Libc.P_PID, (uint)_pid, info, Libc.WEXITED) < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR)
        {
        }

        var status = *(int*)(info + 24);
        return *(int*)(info + 8) == Libc.CLD_EXITED ? status : -status;
    }

    private void WaitForExits()
    {
        var info = stackalloc byte[128];
        while (true)
        {
            lock (_gate)
            {
                while (!_running)
                    Monitor.Wait(_gate);
                _running = false;
            }

            while (Libc.WaitId(Libc.P_PID, (uint)_pid, info, Libc.WEXITED | Libc.WNOWAIT) < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR)
            {
            }

            _exited = true;
            Wake();
        }
    }

    private void Poll(CommandOutput output, TimeSpan most)
    {
        var polled = stackalloc Libc.PollDescriptor[3];
        polled[0] = new Libc.PollDescriptor { Descriptor = _news, Events = Libc.POLLIN };
        polled[1] = new Libc.PollDescriptor { Descriptor = output.Stdout.Descriptor, Events = Libc.POLLIN };
        polled[2] = new Libc.PollDescriptor { Descriptor = output.Stderr.Descriptor, Events = Libc.POLLIN };
        _ = Libc.Poll(polled, 3, (int)Math.Clamp(most.TotalMilliseconds + 1, 0, int.MaxValue));
        ulong count;
        if (polled[0].Happened != 0)
            _ = Libc.Read(_news, &count, sizeof(ulong));
        if (polled[1].Happened != 0)
            output.Stdout.Drain();
        if (polled[2].Happened != 0)
            output.Stderr.Drain();
    }

    private static int InMemory(byte[] bytes)
    {
        var memory = Libc.MemFdCreate("stdin", Libc.MFD_CLOEXEC);
        if (memory < 0)
            throw new IOException($"memfd_create failed: {Libc.LastError()}");
        fixed (byte* start = bytes)
        {
            for (nint written = 0; written < bytes.Length;)
            {
                var count = Libc.Write(memory, start + written, (nuint)(bytes.Length - written));
                if (count < 0)
                    throw new IOException($"the standard input cannot be kept in memory: {Libc.LastError()}");
                written += count;
            }
        }

        _ = Libc.Seek(memory, 0, 0);
        return memory;
    }

    // Spawn wants numbers above those of the child.
    private static int Above(int descriptor) => Libc.Fcntl(descriptor, Libc.F_DUPFD_CLOEXEC, 16);
}
