namespace FuncX.Configuration;

/// <summary>One key as the reader asks for it. Bounds and default are written as a file writes them: <c>2m</c>, <c>8GiB</c>, <c>["*"]</c>.</summary>
/// <param name="Path">Sections and key with dots between: <c>workers.idle</c>.</param>
/// <param name="Kind">What it holds.</param>
public sealed record KeyDescription(string Path, KeyKind Kind)
{
    /// <summary>Null: none, or one that no file can write.</summary>
    public string? Default { get; init; }

    /// <summary>Of a <see cref="KeyKind.Number"/> the value is above it, of all others it may be it.</summary>
    public string? Minimum { get; init; }

    public string? Maximum { get; init; }

    /// <summary>Characters of a text, or of each text of several.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Items of a list, or free names.</summary>
    public int? MaxItems { get; init; }

    /// <summary>The words it may be; of an <see cref="KeyKind.Integer"/> those that may stand in the place of a number.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>A file without it is wrong; of a key in a section: one that has the section, unless that is required itself.</summary>
    public bool IsRequired { get; init; }
}
