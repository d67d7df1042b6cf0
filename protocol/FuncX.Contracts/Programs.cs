namespace FuncX.Contracts;

/// <summary>
/// Where the programs of one installation lie: beside the running one (an unpacked release), or in the build output of the source tree
/// it was built in. An environment variable (<c>FUNCX_SERVICE</c>, <c>FUNCX_ENDPOINT</c>, <c>FUNCX_MANAGER</c>) overrides both.
/// </summary>
public static class Programs
{
    /// <summary>The path of <c>funcx-service</c>.</summary>
    public static string Service => Find("funcx-service", "FUNCX_SERVICE", "service/FuncX.Service", "");

    /// <summary>The path of <c>funcx-endpoint</c>.</summary>
    public static string Endpoint => Find("funcx-endpoint", "FUNCX_ENDPOINT", "endpoint/FuncX.Endpoint", "");

    /// <summary>The path of <c>funcx-manager</c>: the ahead-of-time compiled one when it was published, else the one that needs the runtime.</summary>
    public static string Manager => Find("funcx-manager", "FUNCX_MANAGER", "endpoint/FuncX.Manager", "linux-x64/publish", "linux-x64");

    /// <summary>False for a build that needs the .NET runtime: its assembly lies beside it.</summary>
    public static bool IsCompiledAheadOfTime(string program) => !File.Exists(program + ".dll");

    /// <param name="name">The program.</param>
    /// <param name="variable">What overrides the search.</param>
    /// <param name="project">Its project in the source tree.</param>
    /// <param name="outputs">Folders below the output of a build, the best first. What a publish may have left elsewhere is older than the last build, or not.</param>
    private static string Find(string name, string variable, string project, params string[] outputs)
    {
        var chosen = Environment.GetEnvironmentVariable(variable);
        if (!string.IsNullOrEmpty(chosen))
            return File.Exists(chosen) ? chosen : throw new FileNotFoundException($"{variable} names '{chosen}', which does not exist.", chosen);
        var tried = new List<string>();
        foreach (var candidate in Candidates(name, project, outputs))
        {
            if (File.Exists(candidate))
                return candidate;
            tried.Add(candidate);
        }

        throw new FileNotFoundException($"{name} was not found; looked at {string.Join(", ", tried)}. Set {variable} to its path.", name);
    }

    private static IEnumerable<string> Candidates(string name, string project, string[] outputs)
    {
        yield return Path.Combine(AppContext.BaseDirectory, name);
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "FuncX.sln")))
            root = root.Parent;
        if (root is null)
            yield break;
        foreach (var configuration in (string[])["Release", "Debug"])
        {
            foreach (var output in outputs)
                yield return Path.Combine(root.FullName, project, "bin", configuration, "net10.0", output, name);
        }
    }
}
