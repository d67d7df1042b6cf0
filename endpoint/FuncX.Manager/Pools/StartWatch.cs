using FuncX.Manager.Engine;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Pools;

/// <summary>
/// Watches one start that foreign code can hold up: <c>workers.init</c>, a zygote's imports, a worker's greeting. One that takes long is said in the status while
/// it lasts; one that takes too long hangs. Owned by the engine's turn.
/// </summary>
internal sealed class StartWatch(Node node)
{
    /// <summary>
    /// How long a start may take. Imports from a shared file system that a thousand nodes read at once take minutes and do end; what needs longer
    /// waits for something that does not come.
    /// </summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromMinutes(5);

    /// <summary>The part of the limit after which it is said: 10 s of the default.</summary>
    private const long SlowPart = 30;

    private long _since = long.MaxValue;
    private string? _told;

    public void Begin()
    {
        End();
        _since = NodeTimer.Now;
        node.Arm(_since + (node.StartLimitMicroseconds / SlowPart), _since);
    }

    public void End()
    {
        _since = long.MaxValue;
        if (_told is not null)
            node.Unsay(_told);
        _told = null;
    }

    /// <summary>True when it hangs. Says it when it is slow.</summary>
    /// <param name="now">On the clock of <see cref="NodeTimer.Now"/>.</param>
    /// <param name="what">What starts, and what it said last.</param>
    /// <param name="due">When to ask again.</param>
    public bool Hangs(long now, Func<(string Name, string Words)> what, out long due)
    {
        due = long.MaxValue;
        if (_since == long.MaxValue)
            return false;
        if (now - _since >= node.StartLimitMicroseconds)
            return true;
        due = _since + (node.StartLimitMicroseconds / SlowPart);
        if (_told is not null || now >= due)
        {
            due = _since + node.StartLimitMicroseconds;
            if (_told is null)
            {
                var (name, words) = what();
                _told = $"{name} is starting since {(now - _since) / 1_000_000} s{(words.Length > 0 ? $"; it said last: {words}" : ", without a word")}";
                node.Note(_told);
            }
        }

        return false;
    }
}
