namespace FuncX.Bench.Engine;

/// <summary>What a process has allocated and copied since it began, and the bytes of frames that came to it with tasks (arguments) and with results (values).</summary>
internal readonly record struct HopCost(double Allocated, double Copied, double TaskBytes, double ResultBytes)
{
    /// <summary>
    /// What <paramref name="tasks"/> tasks cost since an earlier moment. A task has two bodies, its arguments and its value, and a process that passes it on receives both:
    /// <c>PerBody</c> says how often each of them was copied there, 1 when both were once. <c>PerTask</c> counts the copies of both together, in bodies of the mean size.
    /// </summary>
    public (double Allocated, double PerBody, double PerTask) Since(HopCost before, int tasks)
    {
        var copies = (Copied - before.Copied) / (TaskBytes - before.TaskBytes + ResultBytes - before.ResultBytes);
        return ((Allocated - before.Allocated) / tasks, copies, 2 * copies);
    }
}
