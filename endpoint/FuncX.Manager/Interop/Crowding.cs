namespace FuncX.Manager.Interop;

/// <summary>Whether a thread had to wait for a processor: then others want it, and what only makes this thread quicker is dear. All times are microseconds.</summary>
internal sealed class Crowding
{
    // Of the time that passed; waking up alone takes some of it.
    private const int WaitedShare = 8;

    private long _at;
    private long _waited;

    /// <summary>Begins anew.</summary>
    /// <param name="now">The time.</param>
    /// <param name="waited">How long the thread has waited for a processor since it began: <see cref="ProcessorWait"/>.</param>
    public void Begin(long now, long waited) => (_at, _waited) = (now, waited);

    /// <summary>Since the last call, or the beginning.</summary>
    /// <param name="now">The time.</param>
    /// <param name="waited">How long the thread has waited for a processor since it began.</param>
    public bool Look(long now, long waited)
    {
        var crowded = (waited - _waited) * WaitedShare > now - _at;
        Begin(now, waited);
        return crowded;
    }
}
