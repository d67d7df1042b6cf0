namespace FuncX.Manager.Interop;

/// <summary>CPUs that threads may run on, as the kernel has them: a bit each.</summary>
internal static unsafe class CpuMask
{
    /// <summary>Room for 8,192 CPUs.</summary>
    private const int Bytes = 1024;

    /// <summary>Those of the calling thread; none when the kernel does not say.</summary>
    public static int[] Current()
    {
        var mask = stackalloc byte[Bytes];
        new Span<byte>(mask, Bytes).Clear();
        if (Libc.GetAffinity(0, Bytes, mask) < 0)
            return [];
        var found = new List<int>();
        for (var cpu = 0; cpu < Bytes * 8; cpu++)
        {
            if ((mask[cpu / 8] & (1 << (cpu % 8))) != 0)
                found.Add(cpu);
        }

        return [.. found];
    }

    /// <summary>For the calling thread and what it starts from now on. False: the kernel does not take it.</summary>
    public static bool Set(ReadOnlySpan<int> cpus)
    {
        var mask = stackalloc byte[Bytes];
        new Span<byte>(mask, Bytes).Clear();
        foreach (var cpu in cpus)
        {
            if (cpu is >= 0 and < Bytes * 8)
                mask[cpu / 8] |= (byte)(1 << (cpu % 8));
        }

        return Libc.SetAffinity(0, Bytes, mask) == 0;
    }
}
