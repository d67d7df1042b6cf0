namespace FuncX.Configuration;

/// <summary>A value of a YAML file with the place where it stands (from 1).</summary>
internal abstract record SourceNode(int Line, int Column)
{
    /// <summary>What it is, in words for messages.</summary>
    public abstract string Describe();
}

/// <param name="Plain">Written without quotes and not as a block, so that <c>true</c> and <c>3</c> mean more than letters.</param>
internal sealed record SourceScalar(int Line, int Column, string Text, bool Plain) : SourceNode(Line, Column)
{
    public bool IsNull => Plain && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string Describe()
    {
        if (IsNull)
            return "nothing";
        var shown = Text.ReplaceLineEndings(" ");
        if (shown.Length > 60)
            shown = shown[..60] + "...";
        return Plain ? $"'{shown}'" : $"the quoted text \"{shown}\"";
    }
}

internal sealed record SourceList(int Line, int Column, IReadOnlyList<SourceNode> Items) : SourceNode(Line, Column)
{
    public override string Describe() => Items.Count == 1 ? "a list of one item" : $"a list of {Items.Count} items";
}

internal sealed record SourceMap(int Line, int Column, IReadOnlyList<KeyValuePair<SourceScalar, SourceNode>> Entries) : SourceNode(Line, Column)
{
    public override string Describe() => "a section of keys";
}
