using FuncX.Manager.Engine;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Workers;

/// <summary>Ends a worker's process and everything it started: asked first, killed when that did not help. How it ended is known a moment later, from who reaps it.</summary>
/// <param name="isCommand">A worker of commands: it is asked alone, and tells what runs in it itself. So it knows why that ends, and what went to another session ends too.</param>
internal sealed class ProcessEnding(Node node, int pid, bool isCommand)
{
    private const long GraceMicroseconds = 2_000_000;

    /// <summary>A command's worker ends the command itself, and that of one with much memory takes the kernel a while: what it wrote until then is not to be lost.</summary>
    private const long CommandGraceMicroseconds = 10_000_000;
    private const long ExitNoticeMicroseconds = 1_000_000;

    private long _killAt = long.MaxValue;
    private long _finishAt = long.MaxValue;
    private long _wordBy;

    /// <summary>When something is due, on the clock of <see cref="NodeTimer.Now"/>.</summary>
    public long Due => Math.Min(_killAt, _finishAt);

    /// <summary>Whether it ended of a SIGTERM, by its exit code or signal.</summary>
    // 143 is a .NET worker's.
    public static bool IsOfTerm(int code) => code is -Libc.SIGTERM or 128 + Libc.SIGTERM;

    /// <summary>SIGTERM, and SIGKILL after a grace.</summary>
    public void Ask()
    {
        _ = Libc.Kill(isCommand ? pid : -pid, Libc.SIGTERM);
        KillIn(isCommand ? CommandGraceMicroseconds : GraceMicroseconds);
    }

    /// <summary>It ends by itself, and is killed when it does not.</summary>
    public void Expect() => KillIn(ExitNoticeMicroseconds);

    /// <summary>SIGKILL at <paramref name="now"/>, the next time that it is looked at.</summary>
    public void KillAt(long now) => _killAt = now;

    /// <summary>SIGKILL to all of its session, what it left behind there too.</summary>
    public void Kill() => _ = Libc.Kill(-pid, Libc.SIGKILL);

    /// <summary>Its end is said in a moment; when it is not, it is gone all the same.</summary>
    public void AwaitExit(long now)
    {
        _finishAt = Math.Min(_finishAt, now + ExitNoticeMicroseconds);
        node.Arm(_finishAt, now);
    }

    /// <summary>It ended of a SIGTERM that may be for the whole job: whether the node is told to end, too, shows in a moment, and <see cref="IsOver"/> holds then.</summary>
    /// <returns>Whether that moment is not over yet.</returns>
    public bool WaitsForWord(long now)
    {
        if (_wordBy == 0)
        {
            _finishAt = _wordBy = now + InterruptedTasks.WordMicroseconds;
            node.Arm(_finishAt, now);
        }

        return now < _wordBy;
    }

    /// <summary>Does what is due.</summary>
    /// <returns>Whether nobody has said in time how it ended.</returns>
    public bool IsOver(long now)
    {
        if (_killAt <= now)
        {
            _killAt = long.MaxValue;
            Kill();
            _finishAt = Math.Min(_finishAt, now + ExitNoticeMicroseconds);
        }

        return _finishAt <= now;
    }

    private void KillIn(long microseconds)
    {
        var now = NodeTimer.Now;
        if (_killAt == long.MaxValue)
            _killAt = now + microseconds;
        node.Arm(_killAt, now);
    }
}
