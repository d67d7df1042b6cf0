using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace FuncX.Cli;

/// <summary>Options that take a whole number: what is none, or out of its range, is refused before anything starts, and told the range.</summary>
internal static class WholeNumber
{
    /// <param name="description">For people; the range is added to it.</param>
    /// <param name="standard">The value when the option is left out.</param>
    public static Option<T> Option<T>(string name, string description, T least, T most, T standard)
        where T : struct, IBinaryInteger<T>
    {
        var range = string.Create(CultureInfo.InvariantCulture, $"{least:N0} to {most:N0}");
        return new Option<T>(name)
        {
            Description = $"{description}; {range}.",
            HelpName = "number",
            DefaultValueFactory = _ => standard,
            CustomParser = result =>
            {
                var text = result.Tokens.Count == 0 ? "" : result.Tokens[^1].Value;
                if (T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
                    return number;
                result.AddError($"{name} takes a whole number from {range}, not '{text}'.");
                return standard;
            },
        };
    }
}
