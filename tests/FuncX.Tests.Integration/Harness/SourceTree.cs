namespace FuncX.Tests.Integration.Harness;

/// <summary>Where the sources lie that this test program was built from.</summary>
public static class SourceTree
{
    public static string Root { get; } = Find();

    /// <summary>The program of a project of the tree: as it is shipped where <c>tests/run</c> has published it, else what the build left.</summary>
    public static string Program(string project, string name)
    {
        if (Environment.GetEnvironmentVariable("FUNCX_TESTS_PROGRAMS") is { Length: > 0 } published
            && Path.Combine(published, Path.GetFileName(project), name) is var shipped
            && File.Exists(shipped))
            return shipped;
        return Built(project, name);
    }

    /// <summary>What the build left: the program that <c>dotnet run</c> starts.</summary>
    public static string Built(string project, string name)
    {
        var path = Path.Combine(Root, project, "bin", "Release", "net10.0", name);
        return File.Exists(path) ? path : path.Replace("Release", "Debug", StringComparison.Ordinal);
    }

    private static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "FuncX.sln")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException($"no FuncX.sln above {AppContext.BaseDirectory}");
    }
}
