namespace FuncX.Endpoint.Dispatch;

/// <summary>
/// Which user's which function was handed to which block. The first of its kind is told of at once, before its task can have begun, the others by their number, once a minute and when the
/// block ends. On the loop only; a task costs an addition.
/// </summary>
internal sealed class ExecutionCounts(Func<string, string> jobOf, Action<ExecutionCount, bool> tell)
{
    private const long Pause = 60_000_000;

    private readonly Dictionary<(string Block, int Function, int Owner), ExecutionCount> _counts = [];
    private long _next;

    public ExecutionCount Of(string block, int function, int owner)
    {
        if (_counts.TryGetValue((block, function, owner), out var count))
            return count;
        count = new ExecutionCount(block, jobOf(block), function, owner) { Tasks = 1, Logged = 1 };
        _counts.Add((block, function, owner), count);
        tell(count, false);
        // The caller counts the one that it is asked for.
        count.Tasks = 0;
        return count;
    }

    /// <summary>Time has passed.</summary>
    public void OnSecond(long now)
    {
        if (now < _next)
            return;
        _next = now + Pause;
        foreach (var count in _counts.Values)
            Tell(count, last: false);
    }

    /// <summary>The block has ended.</summary>
    public void OnBlockEnded(string block)
    {
        foreach (var count in _counts.Values.Where(count => count.Block == block).ToList())
        {
            Tell(count, last: true);
            _counts.Remove((count.Block, count.Function, count.Owner));
        }
    }

    /// <summary>The process ends.</summary>
    public void Flush()
    {
        foreach (var count in _counts.Values)
            Tell(count, last: false);
    }

    private void Tell(ExecutionCount count, bool last)
    {
        if (count.Tasks == count.Logged && !last)
            return;
        count.Logged = count.Tasks;
        tell(count, last);
    }
}
