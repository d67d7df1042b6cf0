using System.Text;

namespace FuncX.Configuration;

/// <summary>Expands <c>${NAME}</c> from the environment. Only paths and secrets are expanded; elsewhere a dollar is a dollar.</summary>
internal static class Variables
{
    /// <summary>False, with the problem in words, when a variable is not set or a brace is not closed.</summary>
    public static bool TryExpand(string text, Func<string, string?> environment, out string expanded, out string problem)
    {
        var output = new StringBuilder(text.Length);
        expanded = text;
        problem = "";
        var position = 0;
        while (true)
        {
            var start = text.IndexOf("${", position, StringComparison.Ordinal);
            if (start < 0)
                break;
            var end = text.IndexOf('}', start);
            if (end < 0)
            {
                problem = $"'{text[start..]}' has no closing brace; write ${{NAME}}";
                return false;
            }

            var name = text[(start + 2)..end];
            if (!IsName(name))
            {
                problem = $"'${{{name}}}' is not the name of an environment variable; write ${{NAME}} with A-Z a-z 0-9 _";
                return false;
            }

            if (environment(name) is not { Length: > 0 } value)
            {
                problem = $"the environment variable {name} is not set; set it, or write the path out";
                return false;
            }

            output.Append(text, position, start - position).Append(value);
            position = end + 1;
        }

        expanded = output.Append(text, position, text.Length - position).ToString();
        return true;
    }

    private static bool IsName(string text) =>
        text.Length > 0 && !char.IsAsciiDigit(text[0]) && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');
}
