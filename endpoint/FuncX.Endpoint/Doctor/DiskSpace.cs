namespace FuncX.Endpoint.Doctor;

/// <summary>What is left on a file system for this user.</summary>
/// <param name="FreeFiles">Files that may still be made; null: it does not count them.</param>
internal readonly record struct DiskSpace(long FreeBytes, long? FreeFiles)
{
    /// <summary>Bytes for people: <c>12.5 GiB</c>.</summary>
    public static string Describe(long bytes) => bytes >= 1L << 30 ? $"{bytes / (double)(1L << 30):0.#} GiB" : $"{bytes / (double)(1L << 20):0.#} MiB";
}
