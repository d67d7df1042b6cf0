namespace FuncX.Providers.Batch;

/// <summary>
/// When the scheduler may be asked again. The usual pause while it answers; twice as long after every question without an answer, up to five minutes; and never less than
/// nine times what the last answer took, so that a slow controller spends at most a tenth of its time on us. While an end or another word is awaited it is a second.
/// </summary>
internal sealed class PollBackOff(TimeSpan usual, TimeProvider time)
{
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_hurried = TimeSpan.FromSeconds(1);
    private const int ShareOfTime = 9;

    private TimeSpan _pause = TimeSpan.Zero;
    private int _failures;
    private long _asked;
    private long _hurriedUntil;

    public TimeSpan Pause
    {
        get
        {
            var pause = _asked == 0 ? TimeSpan.Zero : _pause;
            return _hurriedUntil > time.GetTimestamp() && _failures == 0 && pause > s_hurried ? s_hurried : pause;
        }
    }

    public bool IsDue => _asked == 0 || time.GetElapsedTime(_asked) >= Pause;

    /// <summary>The scheduler has taken an order to end something, so it answers: worth a question a second for this time.</summary>
    public void OnOrder(TimeSpan patience)
    {
        Hurry(patience);
        (_failures, _pause) = (0, Min(_pause, usual));
    }

    /// <summary>Worth a question a second for this time, if the scheduler answers.</summary>
    public void Hurry(TimeSpan patience) =>
        _hurriedUntil = Math.Max(_hurriedUntil, time.GetTimestamp() + (long)(patience.TotalSeconds * time.TimestampFrequency));

    /// <summary>It was asked, and the answer took so long.</summary>
    public void OnAsked(bool answered, TimeSpan took)
    {
        _asked = time.GetTimestamp();
        _failures = answered ? 0 : Math.Min(_failures + 1, 16);
        var pause = usual * Math.Pow(2, _failures);
        var slow = answered ? took * ShareOfTime : TimeSpan.Zero;
        _pause = Min(slow > pause ? slow : pause, Longest > usual ? Longest : usual);
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;
}
