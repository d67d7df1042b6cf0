using System.Globalization;
using System.Text;

namespace FuncX.Configuration;

/// <summary>The page in Markdown that lists the keys of a machine's file, a table for each section.</summary>
public static class EndpointReference
{
    private const string Head = """
        # Keys of a machine's file

        Made by `funcx-endpoint schema --reference` of what the reader asks for; `FUNCX_TESTS_WRITE_GOLDEN=1` and the unit tests write this file anew. The rules that hold for every file are in [README.md](README.md);
        `endpoint.schema.json`, made of the same, is for editors.

        \* is checked now and built later: `validate` notes it, `start` refuses it, all such keys at once, saying what is possible. What stands before a `;` is there. To name a key with the value that it has without being
        named is no request, except for `launcher`.

        """;

    /// <summary>The page as a text that ends with a line break.</summary>
    public static string Write()
    {
        var page = new StringBuilder(Head);
        Table(page, "The machine", "");
        foreach (var section in EndpointKeys.All.Where(static key => key.IsSection))
            Table(page, $"{section.Path}\n\n{KeyMeanings.Of(section)}", section.Path);
        return page.ToString();
    }

    private static void Table(StringBuilder page, string title, string section)
    {
        page.Append(CultureInfo.InvariantCulture, $"\n## {title}\n\n| key | default | range | meaning |\n|---|---|---|---|\n");
        foreach (var key in EndpointKeys.Of(section).Where(static key => !key.IsSection))
            page.Append(CultureInfo.InvariantCulture, $"| `{key.Path}` | {ByKind(key, one => Default(key, one))} | {ByKind(key, Range)} | {KeyMeanings.Of(key)} |\n");
    }

    // What is the same with every kind of provider that knows the key is said once.
    private static string ByKind(EndpointKey key, Func<KeyDescription, string> cell)
    {
        var groups = key.With.GroupBy(one => cell(one.Value), one => one.Key, StringComparer.Ordinal).ToArray();
        return groups.Length == 1 ? groups[0].Key : string.Join("; ", groups.Select(static group => $"{group.Key} with {KeyMeanings.Kinds(group)}"));
    }

    private static string Default(EndpointKey key, KeyDescription description)
    {
        if (description.Default is { } standard)
            return $"`{standard}`";
        if (description.IsRequired)
            return key is { IsAlwaysRequired: true, Section.Length: > 0 } ? $"required below `{key.Section}`" : "required";
        return KeyMeanings.LeftOut.GetValueOrDefault(key.Path, "none");
    }

    private static string Range(KeyDescription key) => key.Kind switch
    {
        KeyKind.Text => $"text of up to {Number(key.MaxLength)} characters",
        KeyKind.Path => "absolute path",
        KeyKind.Program => "name, or absolute path",
        KeyKind.Integer => string.Concat(key.Choices.Select(static word => $"`{word}`, ")) + Whole(key),
        KeyKind.Number => $"above {key.Minimum}, at most {key.Maximum}",
        KeyKind.Flag => "`true`, `false`",
        KeyKind.Share or KeyKind.Duration or KeyKind.Size => $"{key.Minimum} to {key.Maximum}",
        KeyKind.Choice => string.Join(", ", key.Choices.Select(static word => $"`{word}`")),
        KeyKind.Texts => $"up to {Number(key.MaxItems)} texts of up to {Number(key.MaxLength)} characters",
        KeyKind.Paths => $"up to {Number(key.MaxItems)} absolute paths",
        KeyKind.Integers => $"names, each with {Whole(key)}",
        KeyKind.TextsByName => $"up to {Number(key.MaxItems)} names, each with a text of up to {Number(key.MaxLength)} characters",
        _ => throw new ArgumentOutOfRangeException(nameof(key), key.Kind, "a key of this kind has no range"),
    };

    private static string Whole(KeyDescription key) => $"{Number(int.Parse(key.Minimum!, CultureInfo.InvariantCulture))} to {Number(int.Parse(key.Maximum!, CultureInfo.InvariantCulture))}";

    private static string Number(int? number) => string.Create(CultureInfo.InvariantCulture, $"{number:N0}");
}
