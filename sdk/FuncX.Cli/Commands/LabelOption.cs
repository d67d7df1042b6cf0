using System.CommandLine;

namespace FuncX.Cli.Commands;

/// <summary>Labels on a command line.</summary>
internal static class LabelOption
{
    public static Option<string[]> Of(string description, string help) => new("--label") { Description = description, HelpName = help, Arity = ArgumentArity.ZeroOrMore };

    /// <summary>KEY=VALUE each; the service says what a key and a value may be.</summary>
    /// <exception cref="UsageException">One is something else, or two are of the same key.</exception>
    public static Dictionary<string, string> Read(string option, IEnumerable<string> texts)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=');
            if (equals <= 0)
                throw new UsageException($"{option} '{text}' is no label; write KEY=VALUE.");
            if (!labels.TryAdd(text[..equals], text[(equals + 1)..]))
                throw new UsageException($"{option} names '{text[..equals]}' twice; a group has one value of each key.");
        }

        return labels;
    }
}
