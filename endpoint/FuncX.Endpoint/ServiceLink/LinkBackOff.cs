namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// How long to wait between two tries to reach the service: 0.1 s, doubling up to 5 s, each up to a half shorter or longer by chance, so that a service that
/// is back is not dialled by all its endpoints in the same moment. A link that held begins anew.
/// </summary>
internal sealed class LinkBackOff(Random random)
{
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);
    public const double Spread = 0.5;

    /// <summary>One that ended sooner may have been refused just after its welcome.</summary>
    public static readonly TimeSpan Held = TimeSpan.FromSeconds(10);

    private TimeSpan _next = First;

    /// <summary>The pause before the next try.</summary>
    /// <param name="lasted">How long the last one took, from dialling to its end.</param>
    public TimeSpan Next(TimeSpan lasted)
    {
        if (lasted > Held)
            _next = First;
        var pause = _next * (1 - Spread + (random.NextDouble() * 2 * Spread));
        _next = _next * 2 < Longest ? _next * 2 : Longest;
        return pause;
    }
}
