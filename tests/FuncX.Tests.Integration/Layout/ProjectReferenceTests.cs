using System.Xml.Linq;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Layout;

/// <summary>Who may reference whom: the list of the design's layout, and nothing else.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["FuncX.Cli"] = ["FuncX.Client", "FuncX.Samples"],
        ["FuncX.Samples"] = [],
        ["FuncX.Client"] = ["FuncX.Contracts"],
        ["FuncX.Service"] = ["FuncX.Contracts", "FuncX.Configuration", "FuncX.Definitions", "FuncX.Telemetry"],
        ["FuncX.Endpoint"] =
        [
            "FuncX.Contracts", "FuncX.Configuration", "FuncX.Definitions", "FuncX.Telemetry", "FuncX.Endpoint.Core", "FuncX.Containers", "FuncX.Providers",
            "FuncX.Providers.Local", "FuncX.Providers.Slurm", "FuncX.Providers.Pbs", "FuncX.Providers.Cobalt",
        ],
        ["FuncX.Manager"] = ["FuncX.Endpoint.Core", "FuncX.Containers", "FuncX.Mpi", "FuncX.Wire", "FuncX.Definitions", "FuncX.Worker.Loop"],
        ["FuncX.Providers.Local"] = ["FuncX.Providers"],
        ["FuncX.Providers.Slurm"] = ["FuncX.Providers"],
        ["FuncX.Providers.Pbs"] = ["FuncX.Providers"],
        ["FuncX.Providers.Cobalt"] = ["FuncX.Providers"],
        ["FuncX.Worker"] = ["FuncX.Definitions", "FuncX.Worker.Loop"],
        ["FuncX.Worker.Loop"] = ["FuncX.Wire"],
        ["FuncX.Endpoint.Core"] = ["FuncX.Wire"],
        ["FuncX.Contracts"] = ["FuncX.Wire"],
        ["FuncX.Wire"] = [],
        ["FuncX.Definitions"] = [],
        ["FuncX.Mpi"] = [],
        ["FuncX.Providers"] = [],
        ["FuncX.Containers"] = [],
        ["FuncX.Configuration"] = [],
        ["FuncX.Telemetry"] = ["FuncX.Configuration"],
    };

    [Fact]
    public void Every_project_references_only_what_the_layout_allows()
    {
        var wrong = new List<string>();
        foreach (var project in Projects())
        {
            var name = Path.GetFileNameWithoutExtension(project);
            if (!Allowed.TryGetValue(name, out var allowed))
            {
                wrong.Add($"{name} is not in the layout's list");
                continue;
            }

            wrong.AddRange(References(project).Where(reference => !allowed.Contains(reference, StringComparer.Ordinal)).Select(reference => $"{name} references {reference}"));
        }

        wrong.ShouldBeEmpty();
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(SourceTree.Root, "FuncX.sln"));
        Projects().Concat(Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "tests"), "*.csproj", SearchOption.AllDirectories))
            .Select(static project => Path.GetFileName(project))
            .Where(name => !solution.Contains($"\\{name}\"", StringComparison.Ordinal))
            .ShouldBeEmpty();
    }

    private static IEnumerable<string> Projects() =>
        new[] { "protocol", "mpi", "sdk", "service", "endpoint", "providers", "containers", "configs" }
            .Select(static folder => Path.Combine(SourceTree.Root, folder))
            .Where(Directory.Exists)
            .SelectMany(static folder => Directory.EnumerateFiles(folder, "*.csproj", SearchOption.AllDirectories));

    // A reference for build order only links nothing.
    private static IEnumerable<string> References(string project) => XDocument.Load(project).Descendants("ProjectReference")
        .Where(static reference => !string.Equals((string?)reference.Attribute("ReferenceOutputAssembly"), "false", StringComparison.OrdinalIgnoreCase))
        .Select(static reference => Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/')));
}
