using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>
/// The tasks whose functions are on their way to this node, in the order they came. They are in no queue yet, since it is the function that says which; those of other functions do not
/// wait for them. What is here holds its slab.
/// </summary>
internal sealed class AwaitedFunctions
{
    private readonly Dictionary<uint, (FunctionDigest Digest, List<HeldTask> Tasks)> _functions = [];

    /// <summary>How many tasks wait.</summary>
    public int Count { get; private set; }

    public bool Has(uint function) => _functions.Count > 0 && _functions.ContainsKey(function);

    public bool Has(FunctionDigest digest) => _functions.Values.Any(awaited => awaited.Digest == digest);

    /// <summary>A function of this number is to come, with this body.</summary>
    public void Await(uint function, FunctionDigest digest)
    {
        if (_functions.TryGetValue(function, out var awaited))
            _functions[function] = (digest, awaited.Tasks);
        else
            _functions.Add(function, (digest, []));
    }

    public void Hold(in HeldTask task)
    {
        task.Slab.Retain();
        _functions[task.Header.Function].Tasks.Add(task);
        Count++;
    }

    /// <summary>Takes a function away that is there now, with its tasks; their slabs are the caller's to release.</summary>
    public bool TryTake(FunctionDigest digest, out uint function, out IReadOnlyList<HeldTask> tasks)
    {
        foreach (var (number, awaited) in _functions)
        {
            if (awaited.Digest != digest)
                continue;
            _functions.Remove(number);
            Count -= awaited.Tasks.Count;
            (function, tasks) = (number, awaited.Tasks);
            return true;
        }

        (function, tasks) = (0, []);
        return false;
    }

    /// <summary>Takes one task away, whose slab is the caller's to release.</summary>
    public bool TryTake(TaskId id, out HeldTask task)
    {
        foreach (var (_, tasks) in _functions.Values)
        {
            var at = tasks.FindIndex(held => held.Header.Task == id);
            if (at < 0)
                continue;
            task = tasks[at];
            tasks.RemoveAt(at);
            Count--;
            return true;
        }

        task = default;
        return false;
    }

    /// <summary>The same with the last of any function.</summary>
    public bool TryTakeLast(out HeldTask task)
    {
        foreach (var (_, tasks) in _functions.Values)
        {
            if (tasks.Count == 0)
                continue;
            task = tasks[^1];
            tasks.RemoveAt(tasks.Count - 1);
            Count--;
            return true;
        }

        task = default;
        return false;
    }

    /// <summary>Forgets all of it.</summary>
    public void Clear()
    {
        while (TryTakeLast(out var task))
            task.Slab.Release();
        _functions.Clear();
    }
}

/// <summary>A task that waits for its function.</summary>
/// <param name="Header">Of its first frame.</param>
/// <param name="Slab">The memory that its frames are in.</param>
/// <param name="Offset">Where they begin.</param>
/// <param name="Length">Of all of them.</param>
/// <param name="ReceivedMicroseconds">When it came.</param>
internal readonly record struct HeldTask(FrameHeader Header, Slab Slab, int Offset, int Length, long ReceivedMicroseconds);
