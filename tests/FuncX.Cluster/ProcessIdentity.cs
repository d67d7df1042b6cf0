using System.Globalization;
using System.Runtime.InteropServices;

namespace FuncX.Cluster;

/// <summary>A process by number and start time, so that a number the kernel gave away again is never mistaken for it.</summary>
/// <param name="Pid">Its number.</param>
/// <param name="StartTicks">Clock ticks after boot at which it started (field 22 of <c>/proc/PID/stat</c>).</param>
public readonly partial record struct ProcessIdentity(int Pid, ulong StartTicks)
{
    private const int SigKill = 9;
    private const int SigTerm = 15;
    private const int SigContinue = 18;
    private const int SigStop = 19;

    /// <summary>The identity of a process that runs now.</summary>
    /// <exception cref="InvalidOperationException">It does not run.</exception>
    public static ProcessIdentity Of(int pid) => ProcessTable.Find(pid)?.Identity
        ?? throw new InvalidOperationException($"process {pid} does not run");

    /// <summary>Whether it still runs; a zombie does not.</summary>
    public bool IsAlive => ProcessTable.Find(Pid) is { } entry && entry.Identity == this && entry.State is not ('Z' or 'X');

    /// <summary>SIGKILL, if it is still that process.</summary>
    /// <returns>Whether the signal was sent.</returns>
    public bool Kill() => IsAlive && kill(Pid, SigKill) == 0;

    /// <summary>SIGTERM, if it is still that process.</summary>
    public bool Terminate() => IsAlive && kill(Pid, SigTerm) == 0;

    /// <summary>SIGSTOP, if it is still that process: it stands still until <see cref="Continue"/>.</summary>
    /// <returns>Whether the signal was sent.</returns>
    public bool Stop() => IsAlive && kill(Pid, SigStop) == 0;

    /// <summary>SIGCONT, if it is still that process.</summary>
    public bool Continue() => IsAlive && kill(Pid, SigContinue) == 0;

    public override string ToString() => Pid.ToString(CultureInfo.InvariantCulture);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);
}
