namespace FuncX.Cli.Commands;

/// <summary>Options whose values are <c>NAME=TEXT</c>.</summary>
internal static class Pairs
{
    /// <param name="option">As it was written.</param>
    /// <param name="form">What it must look like.</param>
    /// <param name="texts">What was given; of a name that stands there twice the last counts.</param>
    public static Dictionary<string, string> Read(string option, string form, IEnumerable<string> texts)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new UsageException($"{option} is '{text}'; write {form}.");
            pairs[text[..equals]] = text[(equals + 1)..];
        }

        return pairs;
    }
}
