using System.Globalization;
using System.Text;

namespace FuncX.Providers.Batch;

/// <summary>Puts a batch script together: interpreter, directives, commands.</summary>
public static class BatchScript
{
    /// <param name="marker">What begins a line that the scheduler reads: <c>#SBATCH</c>.</param>
    /// <param name="directives">Options, one a line, after which no command can stand: a comment of bash's.</param>
    public static string Compose(string marker, IEnumerable<string> directives, string commands)
    {
        var script = new StringBuilder("#!/bin/bash\n");
        foreach (var directive in directives)
        {
            if (directive.Any(char.IsControl))
                throw new BlockProviderException($"'{string.Concat(directive.Select(static letter => char.IsControl(letter) ? '?' : letter))}' cannot be an option of a batch script: it has a control character");
            script.Append(marker).Append(' ').Append(directive).Append('\n');
        }

        return script.Append('\n').Append(commands).Append('\n').ToString();
    }

    /// <summary>A value for an option whose scheduler has no quoting that could be relied on.</summary>
    /// <exception cref="BlockProviderException">It is not one plain word.</exception>
    public static string Word(string key, string value) => value.Length > 0 && value.All(static letter => letter is > ' ' and <= '~' and not ('\'' or '"' or '\\' or '`' or '#'))
        ? value
        : throw new BlockProviderException($"'{value}' ({key}) cannot stand in a batch script; expected printable ASCII without spaces, quotes, backslashes and #");

    /// <summary>A walltime in seconds.</summary>
    public static string Seconds(TimeSpan walltime) => ((long)walltime.TotalSeconds).ToString(CultureInfo.InvariantCulture);

    /// <summary>A walltime as <c>HH:MM:SS</c>; days become hours.</summary>
    public static string Clock(TimeSpan walltime) => $"{(long)walltime.TotalHours:00}:{walltime.Minutes:00}:{walltime.Seconds:00}";
}
