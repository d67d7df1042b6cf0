namespace FuncX.Manager.Link;

/// <summary>
/// How long to wait between two tries to reach the endpoint: 50 ms, doubling up to 2 s, each a quarter shorter or longer by chance, so that the managers of a
/// thousand nodes do not all dial in the same moment.
/// </summary>
internal sealed class LinkBackOff(Random random)
{
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);
    public const double Spread = 0.25;

    private TimeSpan _next = First;

    /// <summary>The pause before the next try.</summary>
    public TimeSpan Next()
    {
        var pause = _next * (1 - Spread + (random.NextDouble() * 2 * Spread));
        _next = _next * 2 < Longest ? _next * 2 : Longest;
        return pause;
    }

    /// <summary>There was a connection.</summary>
    public void Reset() => _next = First;
}
