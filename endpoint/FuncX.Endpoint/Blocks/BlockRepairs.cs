namespace FuncX.Endpoint.Blocks;

/// <summary>
/// When the lost nodes of one block may be started again: at once, then after a pause that doubles from one second to a minute. A block that needs it again and
/// again goes on with the nodes it has; ten minutes without a repair make it a healthy one again.
/// </summary>
internal sealed class BlockRepairs(TimeProvider time)
{
    /// <summary>Repairs until a block is given up.</summary>
    public const int Most = 10;

    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_healthy = TimeSpan.FromMinutes(10);

    private int _tried;
    private long _last;

    public bool GivenUp => _tried == Most;

    /// <summary>True when a repair is due; it counts as tried then.</summary>
    public bool TryBegin()
    {
        if (GivenUp)
            return false;
        if (_tried > 0)
        {
            var since = time.GetElapsedTime(_last);
            if (since < Pause())
                return false;
            if (since >= s_healthy)
                _tried = 0;
        }

        _tried++;
        _last = time.GetTimestamp();
        return true;
    }

    private TimeSpan Pause()
    {
        var pause = TimeSpan.FromSeconds(1 << (_tried - 1));
        return pause < s_longest ? pause : s_longest;
    }
}
