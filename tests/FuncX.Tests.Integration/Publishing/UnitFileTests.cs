using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Publishing;

/// <summary>The systemd units of a release: systemd takes every line, and what they start is there and starts.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class UnitFileTests(Release release) : IClassFixture<Release>
{
    private const string Analyze = "/usr/bin/systemd-analyze";

    public static TheoryData<string, string> Units => new()
    {
        { "system", "funcx-service.service" },
        { "system", "funcx-endpoint@.service" },
        { "user", "funcx-endpoint@.service" },
    };

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public void All_units_are_tested()
    {
        var units = Path.Combine(release.Root, "systemd");
        Directory.EnumerateFiles(units, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(units, file))
            .ShouldBe(Units.Select(static row => $"{row.Data.Item1}/{row.Data.Item2}"), ignoreOrder: true);
    }

    [Theory(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    [MemberData(nameof(Units))]
    public async Task Systemd_takes_every_line(string manager, string unit)
    {
        var copy = await InstalledAsync(manager, unit);
        (await VerifyAsync(manager, copy)).ShouldBe((0, ""));

        // It would have said so.
        await File.AppendAllTextAsync(copy, "\n[Service]\nRestartSecs=1\n");
        (await VerifyAsync(manager, copy)).Output.ShouldContain("RestartSecs");
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task The_service_is_locked_in()
    {
        var copy = await InstalledAsync("system", "funcx-service.service");
        Assert.SkipUnless(File.Exists(Analyze), $"{Analyze} is not there; tests/run installs it (Debian package systemd)");
        // 10.0 is a unit without any of these settings; the threshold is in tenths.
        var (exitCode, output) = await release.TryAsync(Analyze, "security", "--offline=true", "--no-pager", "--threshold=25", copy);
        exitCode.ShouldBe(0, output);
    }

    [Fact(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    public async Task What_the_service_s_unit_starts_runs_and_stops_at_SIGTERM()
    {
        var state = LocalCluster.NewDirectory("unit-service");
        var file = Path.Combine(state, "service.yaml");
        await File.WriteAllTextAsync(file, "listen: 127.0.0.1:0\n");
        var command = Command(await InstalledAsync("system", "funcx-service.service"), ("${STATE_DIRECTORY}", state), ("/etc/funcx/service.yaml", file));
        await using (var service = Daemon.Start(command, Path.Combine(state, "log")))
        {
            await Eventually.TrueAsync(() => File.Exists(Path.Combine(state, "service.json")), "the service listens", seen: () => service.Tail);
            (await service.StopAsync()).ShouldBe(0, service.Tail);
        }

        // What it does not start again: no data directory of its own is one of the things that another try does not mend.
        File.SetUnixFileMode(state, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherWrite);
        var (exitCode, output) = await release.TryAsync([.. command]);
        NotRestarted("system", "funcx-service.service").ShouldContain(exitCode, output);
        Directory.Delete(state, recursive: true);
    }

    [Theory(SkipUnless = nameof(Release.IsPacked), SkipType = typeof(Release), Skip = Release.NotPacked)]
    [InlineData("system", "/etc/funcx/endpoints/%i.yaml")]
    [InlineData("user", "%E/funcx/%i.yaml")]
    public async Task What_an_endpoint_s_unit_starts_reads_the_file_that_it_names(string manager, string names)
    {
        var file = Path.Combine(LocalCluster.NewDirectory("unit-endpoint"), "laptop.yaml");
        await release.RunAsync(Path.Combine(release.Root, "bin/funcx-endpoint"), "init", "--name", "laptop", "--service", "http://127.0.0.1:7400", "--output", file);
        var command = Command(await InstalledAsync(manager, "funcx-endpoint@.service"), (names, file));
        command.ShouldBe([Path.Combine(release.Root, "bin/funcx-endpoint"), "start", "--config", file]);
        await release.RunAsync([.. command.Select(static word => word == "start" ? "validate" : word)]);

        await File.AppendAllTextAsync(file, "\nnonsense: 1\n");
        var (exitCode, output) = await release.TryAsync([.. command]);
        NotRestarted(manager, "funcx-endpoint@.service").ShouldContain(exitCode, output);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    // As for who has unpacked the release in /opt/funcx.
    private async Task<string> InstalledAsync(string manager, string unit)
    {
        var directory = Directory.CreateDirectory(Path.Combine(release.Scratch, $"{manager}-{Guid.NewGuid():N}")).FullName;
        var copy = Path.Combine(directory, unit);
        await File.WriteAllTextAsync(copy, (await File.ReadAllTextAsync(Path.Combine(release.Root, "systemd", manager, unit))).Replace("/opt/funcx/", $"{release.Root}/", StringComparison.Ordinal));
        return copy;
    }

    private async Task<(int ExitCode, string Output)> VerifyAsync(string manager, string unit)
    {
        Assert.SkipUnless(File.Exists(Analyze), $"{Analyze} is not there; tests/run installs it (Debian package systemd)");
        return await release.TryAsync("env", $"XDG_RUNTIME_DIR={release.Scratch}", Analyze, "verify", $"--{manager}", "--man=no", unit);
    }

    private static string[] Command(string unit, params (string Written, string Meant)[] words)
    {
        var line = File.ReadLines(unit).Single(static line => line.StartsWith("ExecStart=", StringComparison.Ordinal))["ExecStart=".Length..];
        foreach (var (written, meant) in words)
        {
            line.ShouldContain(written);
            line = line.Replace(written, meant, StringComparison.Ordinal);
        }

        return line.Split(' ');
    }

    private int[] NotRestarted(string manager, string unit) =>
        [.. File.ReadLines(Path.Combine(release.Root, "systemd", manager, unit)).Single(static line => line.StartsWith("RestartPreventExitStatus=", StringComparison.Ordinal))
            .Split('=')[1].Split(' ').Select(static code => int.Parse(code, System.Globalization.CultureInfo.InvariantCulture))];
}
