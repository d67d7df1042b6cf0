using System.Collections.Concurrent;

namespace FuncX.Tests.Mpi.Jobs;

/// <summary>The program that the launchers start, and one shared run of all its scenarios for each launcher and number of ranks.</summary>
internal static class Scenarios
{
    private static readonly string[] All = ["identity", "ring", "order", "sends", "receives", "broadcast", "barrier", "errors", "misuse", "thread", "null", "finalize"];

    private static readonly ConcurrentDictionary<(Launcher, int), Lazy<Job>> Shared = new();

    private static readonly string Output = Path.Combine(Root(), "tests/FuncX.Tests.Mpi.Program/bin", Configuration(), "net10.0/linux-x64");

    /// <summary>The one that needs the runtime.</summary>
    public static string Program { get; } = Path.Combine(Output, "funcx-mpi-scenarios");

    /// <summary>The one that was compiled ahead of time by dotnet publish.</summary>
    public static string CompiledProgram { get; } = Path.Combine(Output, "publish/funcx-mpi-scenarios");

    /// <summary>Whether the compiled program is there and is not older than what it was compiled from.</summary>
    public static bool IsCompiled => File.Exists(CompiledProgram)
        && new[] { Program + ".dll", Path.Combine(Output, "FuncX.Mpi.dll") }.All(static part => File.GetLastWriteTimeUtc(CompiledProgram) >= File.GetLastWriteTimeUtc(part));

    public static Job RunAll(Launcher launcher, int ranks) =>
        Shared.GetOrAdd((launcher, ranks), static key => new Lazy<Job>(() => Run(key.Item1, key.Item2, Program))).Value;

    public static Job RunAllCompiled(Launcher launcher, int ranks) => Run(launcher, ranks, CompiledProgram);

    private static Job Run(Launcher launcher, int ranks, string program) => Job.Run(launcher, ranks, program, All);

    // bin/Release/net10.0/
    private static string Configuration() => new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "FuncX.sln")))
            folder = folder.Parent;
        return folder.FullName;
    }
}
