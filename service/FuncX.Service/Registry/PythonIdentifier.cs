using System.Globalization;
using System.Text;

namespace FuncX.Service.Registry;

/// <summary>Python's identifiers (language reference, "Identifiers and keywords").</summary>
public static class PythonIdentifier
{
    private static readonly HashSet<string> _keywords = new(StringComparer.Ordinal)
    {
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
        "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
        "with", "yield",
    };

    /// <summary>Whether a <c>def</c> may have that name.</summary>
    public static bool IsValid(string text)
    {
        if (text.Length == 0 || _keywords.Contains(text))
            return false;
        var first = true;
        foreach (var rune in text.EnumerateRunes())
        {
            if (!(first ? Starts(rune) : Starts(rune) || Continues(rune)))
                return false;
            first = false;
        }

        return true;
    }

    private static bool Starts(Rune rune) => rune.Value == '_' || Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber;

    private static bool Continues(Rune rune) => Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation;
}
