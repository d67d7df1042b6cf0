using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Publishing;

/// <summary>What <c>eng/publish</c> makes, as it is unpacked by whoever takes it.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed partial class ReleaseTests(Release release) : IClassFixture<Release>
{
    private const string OlderSqlite = "bin/glibc-2.28/libe_sqlite3.so";

    // Where the service looks first; with a glibc that is too old for it, it takes the other.
    private static readonly string[] s_newer = ["bin/libe_sqlite3.so"];

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task Its_names_begin_with_its_own_and_belong_to_root()
    {
        var entries = (await release.RunAsync("tar", "--list", "--gzip", "--verbose", "--numeric-owner", "--file", Release.Archive)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        entries.Where(entry => !Regex.IsMatch(entry, $@"^[-dl]\S+ 0/0 .* {Regex.Escape(Release.Name)}/")).ShouldBeEmpty();
        // Nobody but its owner may change a program that others run.
        entries.Where(static entry => entry[5] == 'w' || entry[8] == 'w').ShouldBeEmpty();
        string[] names = [.. entries.Select(static entry => entry.Split(' ')[^1])];
        names.ShouldBe(names.Order(StringComparer.Ordinal));
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task It_has_the_checksum_of_every_file_and_the_archive_has_one_too()
    {
        await release.RunAsync("/bin/sh", "-c", $"cd '{release.Root}' && sha256sum --check --strict --quiet SHA256SUMS");
        File.ReadLines(Path.Combine(release.Root, "SHA256SUMS")).Select(static line => line[66..]).Append("SHA256SUMS").ShouldBe(Files(), ignoreOrder: true);
        await release.RunAsync("/bin/sh", "-c", $"cd '{Path.GetDirectoryName(Release.Archive)}' && sha256sum --check --strict --quiet SHA256SUMS");
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task No_program_or_library_wants_a_newer_glibc_than_that_of_Debian_11()
    {
        var newest = new Dictionary<string, Version>(StringComparer.Ordinal);
        foreach (var file in Files().Where(file => IsElf(Path.Combine(release.Root, file))))
        {
            var needs = await release.RunAsync("readelf", "--wide", "--version-info", Path.Combine(release.Root, file));
            newest[file] = Glibc().Matches(needs).Select(static match => Version.Parse(match.Groups[1].Value)).DefaultIfEmpty(new Version(0, 0)).Max()!;
        }

        foreach (var file in (string[])["bin/funcx", "bin/funcx-service", "bin/funcx-endpoint", "bin/funcx-manager", "bin/workers/dotnet/funcx-worker", OlderSqlite])
            newest[file].ShouldBeGreaterThan(new Version(2, 0), file);
        newest.Where(static file => file.Value > new Version(2, 31)).Select(static file => file.Key).ShouldBe(s_newer);
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task The_manager_starts_on_the_C_library_that_it_is_linked_against()
    {
        var sysroot = Path.Combine(SourceTree.Root, "artifacts", "sysroot");
        var loader = Path.Combine(sysroot, "lib64", "ld-linux-x86-64.so.2");
        Assert.SkipUnless(File.Exists(loader), $"{loader} is not there: eng/sysroot makes it");
        (await release.RunAsync(loader, "--library-path", Path.Combine(sysroot, "lib/x86_64-linux-gnu"), Path.Combine(release.Root, "bin/funcx-manager"), "--version"))
            .ShouldBe($"funcx-manager {ProtocolVersion.Product}, protocol {ProtocolVersion.Minimum} to {ProtocolVersion.Maximum}\n");
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task A_service_takes_the_older_SQLite_where_the_other_does_not_load()
    {
        var copy = Path.Combine(release.Scratch, "copy");
        await release.RunAsync("cp", "--recursive", release.Root, copy);
        await File.WriteAllTextAsync(Path.Combine(copy, s_newer[0]), "not a library");
        string[] command = [Path.Combine(copy, "bin/funcx-service"), "token", "create", "--data-dir", Path.Combine(release.Scratch, "data"), "--user", "ann"];
        // It has to exist before tokens can be made: a service that starts makes it.
        (await StartedAsync(copy)).ShouldBe(0);
        (await release.RunAsync(command)).ShouldContain("of user 'ann'");

        File.Delete(Path.Combine(copy, OlderSqlite));
        var (exitCode, output) = await release.TryAsync(command);
        exitCode.ShouldNotBe(0);
        output.ShouldContain("e_sqlite3");
        Directory.Delete(copy, recursive: true);
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task A_quickstart_needs_no_NET_of_this_machine()
    {
        // The one that this test runs on: .../shared/Microsoft.NETCore.App/VERSION/.
        var installed = Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));
        Assert.SkipUnless(Environment.IsPrivilegedProcess, $"hiding {installed} needs root");
        var output = await release.RunAsync(
            "unshare", "--mount", "/bin/sh", "-c", $"mount -t tmpfs tmpfs '{installed}' && exec '{release.Root}/bin/funcx' quickstart --calls 100");
        output.ShouldContain("every value checked");
        output.ShouldContain("PrimesUpToAsync(1000000) = 78498");
        output.ShouldContain("greet(\"");
        Directory.EnumerateDirectories(release.Scratch, "funcx-quickstart-*").ShouldBeEmpty();
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task It_runs_on_Debian_11()
    {
        Assert.SkipUnless(Scenario.Full, "makes a Debian 11 root: tests/run --full");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "a root of another system needs root");
        var root = Path.Combine(SourceTree.Root, "artifacts", "debian11");
        var (made, said) = await Daemon.RunAsync(
            [Path.Combine(SourceTree.Root, "eng/lib/debian11"), "essential", "python3,libstdc++6", root], Path.Combine(release.Scratch, "debian11.log"), TimeSpan.FromMinutes(10));
        Assert.SkipUnless(made == 0 || Environment.GetEnvironmentVariable("CI") == "true", $"a Debian 11 root cannot be made here: {said}");
        made.ShouldBe(0, said);

        (await InsideAsync("/opt/funcx/bin/funcx-manager", "--version")).ShouldStartWith($"funcx-manager {ProtocolVersion.Product}, ");
        (await InsideAsync("/opt/funcx/bin/funcx", "--version")).ShouldBe($"{ProtocolVersion.Product}\n");
        (await InsideAsync("/bin/sh", "-c", "cd /opt/funcx && sha256sum --check --strict --quiet SHA256SUMS && cat /etc/debian_version")).ShouldStartWith("11.");
        var output = await InsideAsync("/opt/funcx/bin/funcx", "quickstart", "--calls", "100");
        output.ShouldContain("workers of Python 3.9.");
        output.ShouldContain("printed \"1973-03-03\"");
        output.ShouldContain("PrimesUpToAsync(1000000) = 78498");
        output.ShouldContain("100 calls in ");
        output.ShouldContain("every value checked");
        (await File.ReadAllTextAsync("/proc/self/mountinfo", TestContext.Current.CancellationToken)).ShouldNotContain(root);

        Task<string> InsideAsync(params string[] command) => release.RunAsync([Path.Combine(SourceTree.Root, "tests/lib/in_debian11"), root, release.Root, .. command]);
    }

    private async Task<int> StartedAsync(string installation)
    {
        var data = Path.Combine(release.Scratch, "data");
        await using var service = Daemon.Start([Path.Combine(installation, "bin/funcx-service"), "start", "--data-dir", data], Path.Combine(release.Scratch, "service.log"));
        await Eventually.TrueAsync(() => File.Exists(Path.Combine(data, "service.json")), "the service listens", seen: () => service.Tail);
        return await service.StopAsync();
    }

    private IEnumerable<string> Files() =>
        Directory.EnumerateFiles(release.Root, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(release.Root, file));

    private static bool IsElf(string path)
    {
        Span<byte> start = stackalloc byte[4];
        using var file = File.OpenRead(path);
        return file.ReadAtLeast(start, 4, throwOnEndOfStream: false) == 4 && start.SequenceEqual("\u007fELF"u8);
    }

    [GeneratedRegex(@"Name: GLIBC_(\d+\.\d+)")]
    private static partial Regex Glibc();
}
