namespace FuncX.Service.Storage;

/// <summary>SQLite's order of text: that of its bytes in UTF-8, which differs from .NET's ordinal one where surrogates are.</summary>
internal sealed class Utf8Order : IComparer<string>
{
    public static Utf8Order Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        var left = x.AsSpan();
        var right = y.AsSpan();
        var same = left.CommonPrefixLength(right);
        if (same == left.Length || same == right.Length)
            return left.Length - right.Length;
        // Pairs of surrogates stand for what comes after all else.
        return char.IsSurrogate(left[same]) != char.IsSurrogate(right[same])
            ? char.IsSurrogate(left[same]) ? 1 : -1
            : left[same] - right[same];
    }
}
