using FuncX.Manager.Interop;

namespace FuncX.Manager.Workers;

/// <summary>
/// When the next part of a large result is read: at once, unless the thread that reads had to wait for a processor since the part before. Then others want it, the world's small results among
/// them, and reading rests twice as long as it takes, as <see cref="Wire.LargePace"/> has it on the ways behind. All times are microseconds.
/// </summary>
internal sealed class ReadingPace
{
    /// <summary>No rest is longer: what a part took may have been another's turn.</summary>
    public const long LongestRest = 5_000;

    private const int Rests = 2;

    private readonly Crowding _crowding = new();

    /// <summary>A large result begins.</summary>
    /// <param name="now">The time.</param>
    /// <param name="waited">How long the thread has waited for a processor since it began.</param>
    public void Begin(long now, long waited) => _crowding.Begin(now, waited);

    /// <summary>A part was read.</summary>
    /// <param name="now">The time.</param>
    /// <param name="took">How long reading took.</param>
    /// <param name="waited">How long the thread has waited for a processor since it began.</param>
    /// <returns>For how long not to read on.</returns>
    public long OnPart(long now, long took, long waited) => _crowding.Look(now, waited) ? Math.Min(LongestRest, Rests * took) : 0;
}
