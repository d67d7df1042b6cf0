using System.Globalization;

namespace FuncX.Manager;

/// <summary>The command line.</summary>
internal sealed record ManagerOptions
{
    public const string Usage = "usage: funcx-manager --rendezvous FILE --node NAME --directory DIR [--patience SECONDS]";

    public required string Rendezvous { get; init; }

    public required string Node { get; init; }

    /// <summary>Working directories of workers lie below it.</summary>
    public required string Directory { get; init; }

    /// <summary>How long it lives without an endpoint.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>Reads the arguments; null and a reason when they are wrong.</summary>
    public static ManagerOptions? Parse(string[] arguments, out string problem)
    {
        problem = "";
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Length; i += 2)
        {
            if (arguments[i] is not ("--rendezvous" or "--node" or "--directory" or "--patience"))
            {
                problem = $"'{arguments[i]}' is not an option";
                return null;
            }

            if (i + 1 == arguments.Length)
            {
                problem = $"{arguments[i]} needs a value";
                return null;
            }

            values[arguments[i]] = arguments[i + 1];
        }

        foreach (var name in (string[])["--rendezvous", "--node", "--directory"])
        {
            if (values.ContainsKey(name))
                continue;
            problem = $"{name} is missing";
            return null;
        }

        var patience = 600.0;
        if (values.TryGetValue("--patience", out var text)
            && (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out patience) || patience is < 0 or > 1e8))
        {
            problem = $"--patience is '{text}'; it must be seconds, 0 or more";
            return null;
        }

        return new ManagerOptions
        {
            Rendezvous = Path.GetFullPath(values["--rendezvous"]),
            Node = values["--node"],
            Directory = Path.GetFullPath(values["--directory"]),
            Patience = TimeSpan.FromSeconds(patience),
        };
    }
}
