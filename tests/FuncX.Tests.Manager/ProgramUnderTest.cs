namespace FuncX.Tests.Manager;

/// <summary>The <c>funcx-manager</c> that these tests start: the published one, compiled ahead of time, and never the build beside them, which needs the runtime.</summary>
internal static class ProgramUnderTest
{
    private const string Publish = "Run: dotnet publish endpoint/FuncX.Manager -c Release";

    /// <summary>What <c>FUNCX_MANAGER</c> names, else what was published in this tree.</summary>
    /// <exception cref="InvalidOperationException">There is none, it is older than its source was built, or it is not compiled ahead of time.</exception>
    public static string Manager
    {
        get
        {
            var chosen = Environment.GetEnvironmentVariable("FUNCX_MANAGER");
            var program = string.IsNullOrEmpty(chosen) ? Path.Combine(Output(), "publish", "funcx-manager") : Path.GetFullPath(chosen);
            if (!File.Exists(program))
                throw new InvalidOperationException($"these tests run the ahead-of-time compiled funcx-manager, and there is no {program}. {Publish}");
            if (File.Exists(program + ".dll"))
                throw new InvalidOperationException($"these tests run the ahead-of-time compiled funcx-manager; {program} needs the .NET runtime: {program}.dll lies beside it. {Publish}");
            var built = new FileInfo(Path.Combine(Output(), "funcx-manager.dll"));
            if (string.IsNullOrEmpty(chosen) && built.Exists && built.LastWriteTimeUtc > File.GetLastWriteTimeUtc(program))
                throw new InvalidOperationException($"{program} is older than what was built since. {Publish}");
            return program;
        }
    }

    // Where a build leaves the one that needs the runtime, with the published one in a folder below.
    private static string Output()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "FuncX.sln")))
            root = root.Parent;
        return Path.Combine(root?.FullName ?? throw new InvalidOperationException($"no FuncX.sln above {AppContext.BaseDirectory}; set FUNCX_MANAGER"),
            "endpoint", "FuncX.Manager", "bin", "Release", "net10.0", "linux-x64");
    }
}
