using System.Security.Cryptography;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Publishing;

/// <summary>The bill of materials of a release against the lock files that it was built from, and against the files that are in it.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class BillOfMaterialsTests(Release release) : IClassFixture<Release>
{
    private static readonly string[] s_projects = ["service/FuncX.Service", "endpoint/FuncX.Endpoint", "endpoint/FuncX.Manager", "endpoint/FuncX.Worker", "sdk/FuncX.Cli"];

    private sealed record Component(string Type, string Name, string Version, string Scope, string[] Hashes, bool HasLicence);

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public void It_names_every_package_of_the_lock_files_with_hash_and_licence()
    {
        var known = Components().Where(static component => component.Type == "library").ToDictionary(static component => $"{component.Name} {component.Version}", StringComparer.OrdinalIgnoreCase);
        string[] locked = [.. s_projects.SelectMany(Locked).Distinct(StringComparer.OrdinalIgnoreCase)];
        locked.Length.ShouldBeGreaterThan(20);
        locked.ShouldContain("Google.Protobuf 3.36.2");
        locked.Where(package => !known.ContainsKey(package)).ShouldBeEmpty();
        foreach (var package in locked)
        {
            known[package].Hashes.ShouldHaveSingleItem(package).Length.ShouldBe(128, package);
            known[package].HasLicence.ShouldBeTrue(package);
        }
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public void It_tells_what_is_only_built_with_from_what_is_carried()
    {
        var scopes = Components().Where(static component => component.Type == "library").ToLookup(static component => component.Name, static component => component.Scope);
        scopes["Meziantou.Analyzer"].ShouldBe(["excluded"]);
        scopes["Google.Protobuf"].ShouldBe(["required"]);
        // Its parts are linked into the manager.
        scopes["runtime.linux-x64.Microsoft.DotNet.ILCompiler"].ShouldBe(["required"]);
        // The one for new systems and the one for old ones.
        scopes["SQLitePCLRaw.lib.e_sqlite3"].ShouldBe(["required", "required"]);
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task It_names_every_file_of_the_programs_and_of_the_runtime_with_its_hash()
    {
        var named = Components().Where(static component => component.Type == "file").ToDictionary(static component => component.Name, static component => component.Hashes.ShouldHaveSingleItem());
        string[] there = [.. ((string[])["bin", "runtime/host", "runtime/shared"])
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(release.Root, folder), "*", SearchOption.AllDirectories))
            .Select(file => Path.GetRelativePath(release.Root, file))];
        named.Keys.ShouldBe(there, ignoreOrder: true);
        foreach (var (name, hash) in named)
        {
            await using var file = File.OpenRead(Path.Combine(release.Root, name));
            Convert.ToHexStringLower(await SHA256.HashDataAsync(file, TestContext.Current.CancellationToken)).ShouldBe(hash, name);
        }
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public void It_names_the_product_and_the_runtime_that_is_carried()
    {
        using var bom = Read();
        var product = bom.RootElement.GetProperty("metadata").GetProperty("component");
        product.GetProperty("name").GetString().ShouldBe("funcx");
        product.GetProperty("version").GetString().ShouldBe(ProtocolVersion.Product);
        var frameworks = Components().Where(static component => component.Type == "framework").ToDictionary(static component => component.Name, static component => component.Version);
        frameworks.Keys.ShouldBe(["dotnet-hostfxr", "Microsoft.NETCore.App", "Microsoft.AspNetCore.App"], ignoreOrder: true);
        foreach (var (name, version) in frameworks)
        {
            var directory = name == "dotnet-hostfxr" ? "runtime/host/fxr" : $"runtime/shared/{name}";
            Directory.EnumerateDirectories(Path.Combine(release.Root, directory)).Select(Path.GetFileName).ShouldBe([version]);
        }
    }

    // Packages that a project of ours restores; what stands there as a project has a lock file of its own, and its packages in this one as well.
    private static IEnumerable<string> Locked(string project)
    {
        using var file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SourceTree.Root, project, "packages.lock.json")));
        foreach (var framework in file.RootElement.GetProperty("dependencies").EnumerateObject())
        {
            foreach (var package in framework.Value.EnumerateObject())
            {
                if (package.Value.GetProperty("type").GetString() != "Project")
                    yield return $"{package.Name} {package.Value.GetProperty("resolved").GetString()}";
            }
        }
    }

    private List<Component> Components()
    {
        using var bom = Read();
        var found = new List<Component>();
        Add(bom.RootElement.GetProperty("components"));
        return found;

        void Add(JsonElement components)
        {
            foreach (var component in components.EnumerateArray())
            {
                found.Add(new Component(
                    component.GetProperty("type").GetString()!,
                    component.GetProperty("name").GetString()!,
                    Text(component, "version"),
                    Text(component, "scope"),
                    component.TryGetProperty("hashes", out var hashes) ? [.. hashes.EnumerateArray().Select(static hash => hash.GetProperty("content").GetString()!)] : [],
                    component.TryGetProperty("licenses", out var licences) && licences.GetArrayLength() > 0));
                if (component.TryGetProperty("components", out var parts))
                    Add(parts);
            }
        }

        static string Text(JsonElement component, string name) => component.TryGetProperty(name, out var value) ? value.GetString()! : "";
    }

    private JsonDocument Read()
    {
        var bom = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(release.Root, "funcx.cdx.json")));
        bom.RootElement.GetProperty("bomFormat").GetString().ShouldBe("CycloneDX");
        return bom;
    }
}
