using System.Text;
using System.Text.RegularExpressions;

namespace FuncX.Cli.Commands;

/// <summary>
/// The files that a pattern names, as a shell would, sorted: <c>*</c>, <c>?</c> and <c>[a-z]</c> within a name, <c>**</c> as a whole part for any number of directories. What begins with
/// a dot is matched only by a part that does; <c>**</c> does not go through links, which may lead back.
/// </summary>
internal static class Glob
{
    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = 0, MatchType = MatchType.Simple, IgnoreInaccessible = false };

    /// <summary>Paths as the pattern has them: relative ones stay so.</summary>
    public static List<string> Files(string pattern)
    {
        if (pattern.StartsWith("~/", StringComparison.Ordinal))
            pattern = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), pattern[2..]);
        var parts = pattern.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts is [.., "**"])
            parts = [.. parts, "*"];
        var found = new SortedSet<string>(StringComparer.Ordinal);
        Walk(pattern.StartsWith('/') ? "/" : "", parts, found);
        return [.. found];
    }

    private static void Walk(string directory, ReadOnlySpan<string> parts, SortedSet<string> found)
    {
        if (parts.IsEmpty)
            return;
        var part = parts[0];
        var rest = parts[1..];
        if (part == "**")
        {
            Walk(directory, rest, found);
            foreach (var inner in Directories(directory))
            {
                if (inner.LinkTarget is null && !inner.Name.StartsWith('.'))
                    Walk(directory + inner.Name + "/", parts, found);
            }
        }
        else if (!IsPattern(part))
        {
            var path = directory + Literal(part);
            if (rest.IsEmpty && File.Exists(path))
                found.Add(path);
            else if (!rest.IsEmpty && Directory.Exists(path))
                Walk(path + "/", rest, found);
        }
        else
        {
            WalkMatching(directory, Expression(part), part.StartsWith('.'), rest, found);
        }
    }

    private static void WalkMatching(string directory, Regex name, bool hidden, ReadOnlySpan<string> rest, SortedSet<string> found)
    {
        foreach (var entry in rest.IsEmpty ? Entries(directory) : Directories(directory))
        {
            if ((entry.Name.StartsWith('.') && !hidden) || !name.IsMatch(entry.Name))
                continue;
            if (!rest.IsEmpty)
                Walk(directory + entry.Name + "/", rest, found);
            else if (File.Exists(entry.FullName))
                found.Add(directory + entry.Name);
        }
    }

    private static IEnumerable<FileSystemInfo> Entries(string directory) => new DirectoryInfo(directory.Length == 0 ? "." : directory).EnumerateFileSystemInfos("*", Everything);

    private static IEnumerable<FileSystemInfo> Directories(string directory) => Entries(directory).Where(static entry => Directory.Exists(entry.FullName));

    private static bool IsPattern(string part) => part.AsSpan().IndexOfAny('*', '?', '[') >= 0;

    private static string Literal(string part) => part.Replace("\\", "", StringComparison.Ordinal);

    private static Regex Expression(string part)
    {
        var text = new StringBuilder("^");
        for (var at = 0; at < part.Length; at++)
        {
            // A set's first character may be its own end: []a].
            var end = part[at] == '[' ? part.IndexOf(']', Math.Min(part.Length - 1, at + (part.AsSpan(at + 1).StartsWith('!') ? 3 : 2))) : -1;
            if (part[at] == '*')
                text.Append(".*");
            else if (part[at] == '?')
                text.Append('.');
            else if (end > at)
                text.Append(Set(part[(at + 1)..(at = end)]));
            else if (part[at] == '\\' && at + 1 < part.Length)
                text.Append(Regex.Escape(part[++at].ToString()));
            else
                text.Append(Regex.Escape(part[at].ToString()));
        }

        return new Regex(text.Append('$').ToString(), RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking);
    }

    private static string Set(string inside)
    {
        var not = inside.StartsWith('!');
        var characters = (not ? inside[1..] : inside).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal)
            .Replace("]", "\\]", StringComparison.Ordinal).Replace("^", "\\^", StringComparison.Ordinal);
        return $"[{(not ? "^" : "")}{characters}]";
    }
}
