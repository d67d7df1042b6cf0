using System.Text;

namespace FuncX.Configuration;

/// <summary>Names as the file writes them.</summary>
public static class SnakeCase
{
    /// <summary><c>PerTask</c> is <c>per_task</c>.</summary>
    public static string Of(string name)
    {
        var output = new StringBuilder(name.Length + 4);
        foreach (var letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && output.Length > 0)
                output.Append('_');
            output.Append(char.ToLowerInvariant(letter));
        }

        return output.ToString();
    }

    /// <summary>The word that the file has for a value.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum => Of(value.ToString());
}
