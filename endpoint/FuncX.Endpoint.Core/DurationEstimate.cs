namespace FuncX.Endpoint.Core;

/// <summary>
/// How long tasks last, in microseconds, from the results seen: a moving average that jumps when durations change at once, up with the first long task
/// and down with the second short one in a row (one alone may be an exception among long ones).
/// </summary>
internal struct DurationEstimate
{
    private const int Jump = 4;

    private int _shorter;

    /// <summary>0 before the first result.</summary>
    public long Microseconds { get; private set; }

    public void Add(long microseconds)
    {
        var sample = Math.Max(microseconds, 1);
        if (Microseconds == 0 || sample > Microseconds * Jump)
        {
            Microseconds = sample;
            _shorter = 0;
        }
        else if (sample * Jump < Microseconds)
        {
            if (++_shorter > 1)
                Microseconds = sample;
        }
        else
        {
            _shorter = 0;
            Microseconds = Math.Max(1, Microseconds + ((sample - Microseconds) / 8));
        }
    }
}
