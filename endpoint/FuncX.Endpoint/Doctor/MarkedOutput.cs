namespace FuncX.Endpoint.Doctor;

/// <summary>
/// What a script of the doctor's printed: parts that begin with a line <c>==funcx KEY VALUE</c>. What a site's own lines print before and between is text of the part before, and never
/// taken for an answer.
/// </summary>
internal sealed class MarkedOutput
{
    /// <summary>How a part's first line begins.</summary>
    public const string Mark = "==funcx ";

    private MarkedOutput(IReadOnlyList<Part> parts, string before)
    {
        (Parts, Before) = (parts, before);
    }

    /// <param name="Text">The lines after the first.</param>
    internal sealed record Part(string Key, string Value, string Text);

    public IReadOnlyList<Part> Parts { get; }

    /// <summary>What was printed before the first part.</summary>
    public string Before { get; }

    public Part? Find(string key) => Parts.FirstOrDefault(part => part.Key == key);

    public IEnumerable<Part> All(string key) => Parts.Where(part => part.Key == key);

    public static MarkedOutput Parse(string output)
    {
        var pieces = $"\n{output}".Split($"\n{Mark}");
        return new MarkedOutput([.. pieces.Skip(1).Select(Read)], pieces[0].Trim());
    }

    /// <summary>The last lines of a text on one line.</summary>
    public static string LastLines(string text)
    {
        var line = string.Join(" / ", text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).TakeLast(3));
        return line.Length > 300 ? line[^300..] : line;
    }

    private static Part Read(string piece)
    {
        var lines = piece.Split('\n', 2);
        var words = lines[0].Split(' ', 2);
        return new Part(words[0], words.Length > 1 ? words[1].Trim() : "", lines.Length > 1 ? lines[1].Trim() : "");
    }
}
