namespace FuncX.Configuration;

/// <summary>A key of a machine's file.</summary>
/// <param name="Path">Sections and key with dots between: <c>workers.idle</c>.</param>
/// <param name="With">What it is with each kind of provider that knows it; at least one.</param>
public sealed record EndpointKey(string Path, IReadOnlyDictionary<ProviderKind, KeyDescription> With)
{
    private static readonly int s_kinds = Enum.GetValues<ProviderKind>().Length;

    /// <summary>The key's name in its section.</summary>
    public string Name => Path[(Path.LastIndexOf('.') + 1)..];

    /// <summary>The path of the section that it stands in; empty at the top of the file.</summary>
    public string Section => Path[..Math.Max(0, Path.LastIndexOf('.'))];

    public bool IsSection => With.Values.First().Kind == KeyKind.Section;

    /// <summary>There is the key whatever the provider.</summary>
    public bool IsOfAllKinds => With.Count == s_kinds;

    /// <summary>No file, or none that has its section, is without it.</summary>
    public bool IsAlwaysRequired => IsOfAllKinds && With.Values.All(static key => key.IsRequired);
}
