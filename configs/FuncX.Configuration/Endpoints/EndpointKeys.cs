namespace FuncX.Configuration;

/// <summary>The keys of a machine's file, as the reader asks for them: it is given a small document for each kind of provider, and what it noted is united.</summary>
public static class EndpointKeys
{
    /// <summary>All, each section before its keys.</summary>
    public static IReadOnlyList<EndpointKey> All { get; } =
    [
        .. Enum.GetValues<ProviderKind>()
            .SelectMany(static kind => EndpointConfigurationFile.Describe(kind).Select(key => (Kind: kind, Key: key)))
            .GroupBy(static noted => noted.Key.Path, StringComparer.Ordinal)
            .Select(static noted => new EndpointKey(noted.Key, noted.ToDictionary(static one => one.Kind, static one => one.Key))),
    ];

    /// <summary>The keys of one section; of the top of the file with the empty text.</summary>
    public static IEnumerable<EndpointKey> Of(string section) => All.Where(key => key.Section == section);
}
