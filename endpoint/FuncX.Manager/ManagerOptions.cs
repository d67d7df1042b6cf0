using System.Globalization;
using FuncX.Manager.Pools;

namespace FuncX.Manager;

/// <summary>The command line.</summary>
internal sealed record ManagerOptions
{
    public const string Usage = "usage: funcx-manager --rendezvous FILE --node NAME --directory DIR [--patience SECONDS] [--start-limit SECONDS]";

    public required string Rendezvous { get; init; }

    public required string Node { get; init; }

    /// <summary>Working directories of workers lie below it.</summary>
    public required string Directory { get; init; }

    /// <summary>How long it lives without an endpoint.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>How long a start of workers may take.</summary>
    public TimeSpan StartLimit { get; init; } = StartWatch.DefaultLimit;

    /// <summary>Reads the arguments; null and a reason when they are wrong.</summary>
    public static ManagerOptions? Parse(string[] arguments, out string problem)
    {
        problem = "";
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Length; i += 2)
        {
            if (arguments[i] is not ("--rendezvous" or "--node" or "--directory" or "--patience" or "--start-limit"))
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

        if (!TryReadSeconds(values, "--patience", 0, 600, out var patience, ref problem)
            || !TryReadSeconds(values, "--start-limit", 0.1, StartWatch.DefaultLimit.TotalSeconds, out var startLimit, ref problem))
        {
            return null;
        }

        return new ManagerOptions
        {
            Rendezvous = Path.GetFullPath(values["--rendezvous"]),
            Node = values["--node"],
            Directory = Path.GetFullPath(values["--directory"]),
            Patience = TimeSpan.FromSeconds(patience),
            StartLimit = TimeSpan.FromSeconds(startLimit),
        };
    }

    private static bool TryReadSeconds(Dictionary<string, string> values, string name, double least, double otherwise, out double seconds, ref string problem)
    {
        seconds = otherwise;
        if (!values.TryGetValue(name, out var text)
            || (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out seconds) && seconds >= least && seconds <= 1e8))
        {
            return true;
        }

        problem = $"{name} is '{text}'; it must be seconds, {least.ToString(CultureInfo.InvariantCulture)} or more";
        return false;
    }
}
