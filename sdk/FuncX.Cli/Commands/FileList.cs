namespace FuncX.Cli.Commands;

/// <summary>A list of files, as <c>find</c> or an editor writes it: names ended by newlines or, when there is one, by zero bytes.</summary>
internal static class FileList
{
    /// <exception cref="UsageException">There is no such list, or nothing is in it.</exception>
    public static List<string> Read(string list, TextReader input)
    {
        if (list != "-" && !File.Exists(list))
            throw new UsageException($"--files-from: {list} does not exist.");
        var text = list == "-" ? input.ReadToEnd() : File.ReadAllText(list);
        var names = Split(text);
        return names.Count > 0 ? names : throw new UsageException($"--files-from: {(list == "-" ? "standard input" : list)} names no file.");
    }

    private static List<string> Split(string text) => text.Contains('\0', StringComparison.Ordinal)
        ? [.. text.Split('\0', StringSplitOptions.RemoveEmptyEntries)]
        : [.. text.Split('\n').Select(static line => line.TrimEnd('\r')).Where(static line => line.Length > 0)];
}
