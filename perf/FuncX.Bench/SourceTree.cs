namespace FuncX.Bench;

/// <summary>Where this program was built.</summary>
internal static class SourceTree
{
    /// <summary>Null when it was taken elsewhere.</summary>
    public static string? Root { get; } = Find();

    private static string? Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "FuncX.sln")))
            folder = folder.Parent;
        return folder?.FullName;
    }
}
