using System.Globalization;

namespace FuncX.Endpoint.Blocks;

/// <summary>That the provider was asked about its blocks, again and again perhaps, and did not answer.</summary>
/// <param name="Since">When it failed to for the first time.</param>
/// <param name="Message">What the last question met with.</param>
/// <param name="At">When that was, a timestamp.</param>
internal sealed record UnansweredPoll(DateTimeOffset Since, string Message, long At)
{
    /// <summary>For people.</summary>
    public string Describe(string provider) => string.Create(CultureInfo.InvariantCulture, $"{provider} has not answered since {Since.UtcDateTime:HH:mm:ss}Z: {Message}");
}
