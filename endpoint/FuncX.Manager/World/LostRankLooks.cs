namespace FuncX.Manager.World;

/// <summary>
/// The leader's looks at what spawners of killed ranks have left (<see cref="WorldMarks"/>), one after the other, since the file system may be slow; and that the world is up is said with
/// them until it was written.
/// </summary>
internal sealed class LostRankLooks : IDisposable
{
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(1);

    private readonly WorldLeader _leader;
    private readonly WorldMarks _marks;
    private readonly Timer _timer;
    private bool _saidUp;

    public LostRankLooks(WorldLeader leader, WorldMarks marks)
    {
        (_leader, _marks) = (leader, marks);
        _timer = new Timer(_ => Look(), null, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        _saidUp = _saidUp || _marks.SayUp();
        foreach (var lost in _marks.Read()?.Lost ?? [])
            _leader.OnGone(lost.Rank);
        try
        {
            _timer.Change(s_every, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
            // The world is over.
        }
    }
}
