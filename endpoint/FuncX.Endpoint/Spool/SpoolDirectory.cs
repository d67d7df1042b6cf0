using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Spool;

/// <summary>
/// <c>state_dir/spool</c>: a directory for each identity that this state directory has had. Results are one service's business: what was made for another, or for
/// another endpoint of the same, is kept and never sent.
/// </summary>
internal static class SpoolDirectory
{
    public static string Of(string stateDirectory, EndpointIdentity identity) => Path.Combine(stateDirectory, "spool", identity.Key);

    /// <summary>Directories below <c>spool</c> that hold results of other identities; <c>spool</c> itself when some lie there without one.</summary>
    public static IReadOnlyList<string> OfOthers(string stateDirectory, EndpointIdentity identity)
    {
        var root = Path.Combine(stateDirectory, "spool");
        if (!Directory.Exists(root))
            return [];
        return [.. Directory.GetDirectories(root).Append(root).Where(directory => directory != Of(stateDirectory, identity) && HoldsResults(directory)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Bytes of results that wait in a state directory, whoever they are for.</summary>
    public static long BytesOf(string stateDirectory) => new DirectoryInfo(Path.Combine(stateDirectory, "spool")) is { Exists: true } root
        ? root.EnumerateFiles("*.spool", SearchOption.AllDirectories).Sum(static file => file.Length)
        : 0;

    private static bool HoldsResults(string directory) => Directory.EnumerateFiles(directory, "*.spool").Any();
}
