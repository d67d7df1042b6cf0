using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Publishing;

/// <summary>The manager that is tested is the one that is shipped: it starts on the C library of older systems.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed partial class ManagerGlibcTests
{
    [Fact]
    public async Task It_wants_no_newer_glibc_than_2_31_and_starts_on_that()
    {
        var log = Path.Combine(LocalCluster.NewDirectory("glibc"), "log");
        var manager = FuncX.Contracts.Programs.Manager;
        var (exitCode, needs) = await Daemon.RunAsync(["readelf", "--wide", "--version-info", manager], log, Eventually.Patience);
        exitCode.ShouldBe(0, needs);
        var wanted = Glibc().Matches(needs).Select(static match => Version.Parse(match.Groups[1].Value)).ToList();
        wanted.ShouldNotBeEmpty();
        wanted.Max()!.ShouldBeLessThanOrEqualTo(new Version(2, 31));

        var sysroot = Path.Combine(SourceTree.Root, "artifacts", "sysroot");
        var loader = Path.Combine(sysroot, "lib64", "ld-linux-x86-64.so.2");
        Assert.SkipUnless(File.Exists(loader), $"{loader} is not there: eng/sysroot makes it");
        (await Daemon.RunAsync([loader, "--library-path", Path.Combine(sysroot, "lib/x86_64-linux-gnu"), manager, "--version"], log, Eventually.Patience))
            .ShouldBe((0, $"funcx-manager {ProtocolVersion.Product}, protocol {ProtocolVersion.Minimum} to {ProtocolVersion.Maximum}\n"));
        Directory.Delete(Path.GetDirectoryName(log)!, recursive: true);
    }

    [GeneratedRegex(@"GLIBC_(\d+\.\d+)")]
    private static partial Regex Glibc();
}
