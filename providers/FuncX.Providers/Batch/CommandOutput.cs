namespace FuncX.Providers.Batch;

/// <summary>What a command left: its exit status and what it wrote, decoded leniently (a job's variables may hold any bytes).</summary>
/// <param name="Cut">More was written than is kept; what is there is the beginning.</param>
/// <param name="TimedOut">It was ended because it took too long. What it asked for may have been done all the same.</param>
public sealed record CommandOutput(int ExitCode, string Output, string Errors, bool Cut = false, bool TimedOut = false)
{
    /// <summary>What it wrote to stderr, else to stdout, on one line of at most 300 characters; of many lines the last ones.</summary>
    public string Said
    {
        get
        {
            var text = Errors.Trim().Length > 0 ? Errors : Output;
            var line = string.Join(" / ", text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).TakeLast(3));
            line = new string([.. line.Select(static letter => char.IsControl(letter) ? ' ' : letter)]);
            return line.Length > 300 ? line[^300..] : line;
        }
    }

    /// <summary>Whether the last line of stdout is without its end, and may have lost more than that.</summary>
    public bool EndsInLine => Output.Length > 0 && Output[^1] != '\n';

    /// <summary>The lines of stdout that are not empty.</summary>
    public IEnumerable<string> Lines => Output.Split('\n').Select(static line => line.TrimEnd('\r')).Where(static line => line.Length > 0);
}
