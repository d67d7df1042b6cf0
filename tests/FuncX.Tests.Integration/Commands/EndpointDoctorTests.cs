using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary><c>funcx-endpoint doctor</c> as a process, beside a running service; each check by itself is in the unit tests.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class EndpointDoctorTests
{
    [Fact]
    public async Task A_local_machine_that_is_well_is_told_so_and_each_thing_that_is_broken_is_found_with_its_cure() =>
        await Scenario.RunAsync(await LocalCluster.StartServiceAsync(), async cluster =>
        {
            var (home, token) = (cluster.DirectoryPath, cluster.TokenFile);
            var file = cluster.CreateEndpoint(new EndpointOptions { MoreYaml = "limits: {spool: 100MiB}" }, token).Configuration;
            var state = Path.Combine(home, "test");
            var well = (await EndpointCommand.RunAsync(home, "doctor", file, "--token-file", token)).ShouldEnd(0);
            var lines = well.Output.Trim().Split('\n');
            // A manager that was linked without eng/sysroot may need more of glibc than a release, which is a warning.
            lines.Where(static line => !line.StartsWith("glibc ", StringComparison.Ordinal)).Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])
                .ShouldAllBe(static state => state == "ok" || state == "skipped", well.Output);
            lines.Select(static line => line.Split(' ')[0]).ShouldBe(
                ["file", "permissions", "token", "disk", "limits", "service", "clock", "manager", "glibc", "python", "containers", "mpi", "addresses", "scheduler", "script", "nodes"]);
            Directory.Exists(state).ShouldBeFalse("what was not there is not there afterwards");

            // Two things at once, as JSON.
            var broken = cluster.CreateEndpoint(new EndpointOptions { Name = "broken", MoreYaml = "limits: {spool: 100MiB}", Python = "no-python-of-anybody" }, token).Configuration;
            using (var json = JsonDocument.Parse((await EndpointCommand.RunAsync(home, "doctor", "--config", broken, "--json")).ShouldEnd(1).Output))
            {
                var problems = json.RootElement.EnumerateArray().Where(static finding => finding.GetProperty("state").GetString() == "problem").ToList();
                problems.Select(static finding => finding.GetProperty("check").GetString()).ShouldBe(["token", "python"]);
                problems[0].GetProperty("cure").GetString()!.ShouldContain("funcx login");
                problems[1].GetProperty("seen").GetString()!.ShouldContain("workers.python is 'no-python-of-anybody', which is not there");
            }

            File.SetUnixFileMode(file, File.GetUnixFileMode(file) | UnixFileMode.GroupWrite);
            (await EndpointCommand.RunAsync(home, "doctor", file)).ShouldEnd(2, $"Run: chmod go-w {file}");
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            (await EndpointCommand.RunAsync(home, "doctor")).ExitCode.ShouldBe(2);

            await cluster.Service.StopAsync();
            var away = (await EndpointCommand.RunAsync(home, "doctor", file, "--token-file", token)).ShouldEnd(1).Output;
            away.Split('\n').Where(static line => line.Contains("  problem  ", StringComparison.Ordinal)).ShouldHaveSingleItem()
                .ShouldStartWith($"service      problem  {cluster.Service.Address}: nobody takes the connection: Connection refused");
        });

    [Fact]
    public async Task A_disk_that_is_full_is_found_by_writing_to_it()
    {
        await using var disk = await SmallDisk.MountAsync(8);
        await Scenario.RunAsync(await LocalCluster.StartServiceAsync(), async cluster =>
        {
            var token = cluster.TokenFile;
            var file = cluster.CreateEndpoint(new EndpointOptions { StateDirectory = Path.Combine(disk.Path, "state") }, token).Configuration;
            var output = (await EndpointCommand.RunAsync(cluster.DirectoryPath, "doctor", file, "--token-file", token)).ShouldEnd(1).Output;
            output.Split('\n').Where(static line => line.Contains("  problem  ", StringComparison.Ordinal)).ShouldHaveSingleItem()
                .ShouldStartWith($"disk         problem  the disk of {disk.Path}/state is full (");
            Directory.EnumerateFileSystemEntries(disk.Path).ShouldBeEmpty();
        });
    }
}
