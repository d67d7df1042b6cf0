using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace FuncX.Bench.Footprint;

/// <summary>
/// Processor time and wake-ups of a process. Its own clock (clock_getcpuclockid(3)) counts nanoseconds, and those of threads that have ended; the ticks of 10 ms of
/// <c>/proc/PID/stat</c> are too coarse for one that sleeps.
/// </summary>
internal readonly partial record struct ProcessorUse(double Seconds, long WakeUps)
{
    public static ProcessorUse Of(int pid)
    {
        if (ClockOfProcess(pid, out var clock) != 0 || ReadClock(clock, out var time) != 0)
            throw new Win32Exception($"process {pid} has no clock: {Marshal.GetLastPInvokeErrorMessage()}");
        return new ProcessorUse(time.Seconds + (time.Nanoseconds / 1e9), Directory.EnumerateDirectories($"/proc/{pid}/task").Sum(WakeUpsOf));
    }

    public ProcessorUse Since(ProcessorUse before) => new(Seconds - before.Seconds, Math.Max(0, WakeUps - before.WakeUps));

    public string PerSecond(TimeSpan time) => string.Create(
        CultureInfo.InvariantCulture, $"{Seconds / time.TotalSeconds * 100:0.000} % of a core, {WakeUps / time.TotalSeconds:0} wake-ups a second");

    private static long WakeUpsOf(string thread)
    {
        try
        {
            var line = File.ReadLines(Path.Combine(thread, "status")).First(static line => line.StartsWith("voluntary_ctxt_switches:", StringComparison.Ordinal));
            return long.Parse(line.AsSpan(line.IndexOf(':', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_getcpuclockid")]
    private static partial int ClockOfProcess(int pid, out int clock);

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int ReadClock(int clock, out Time time);

    private readonly struct Time
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
