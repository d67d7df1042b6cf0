namespace FuncX.Providers.Batch;

/// <summary>Words for a batch script, in which bash reads them as they are.</summary>
public static class ShellText
{
    /// <summary>A word in single quotes, within which nothing has a meaning but the quote itself.</summary>
    public static string Quote(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>The word itself when no shell would read anything into it.</summary>
    public static string QuoteIfNeeded(string word) =>
        word.Length > 0 && word.All(static letter => char.IsAsciiLetterOrDigit(letter) || "-_./=:,+@%".Contains(letter, StringComparison.Ordinal)) ? word : Quote(word);
}
