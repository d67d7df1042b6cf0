using FuncX.Cluster;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>The scripts of the machines in configs/ that have Slurm, and the one with every key, shown to a Slurm that has what they ask for.</summary>
public sealed class SlurmScriptTests
{
    [Fact]
    public async Task Every_golden_script_is_accepted_by_sbatch()
    {
        Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
        var golden = Path.Combine(BlockScratch.Repository, "tests/FuncX.Tests.Unit/Golden");
        var scripts = Directory.EnumerateFiles(golden, "*.sh").Where(static file => File.ReadAllText(file).Contains("#SBATCH", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        scripts.Select(static file => Path.GetFileNameWithoutExtension(file)).ShouldBe(["all-slurm", "cori", "delta", "frontier", "perlmutter", "slurm"]);
        // Accounts and qualities of service are known to a database only, which this one has none of.
        await using var lab = await SlurmLab.StartAsync(BlockScratch.Repository, nodes: 16, cpus: 128, "Licenses=cscratch1:10\nGresTypes=gpu", "Gres=gpu:4 Feature=knl,quad,cache,gpu,scratch");
        foreach (var partition in (string[])["batch", "cpu"])
            await lab.RunAsync("scontrol", "create", $"partitionname={partition}", "nodes=n[1-16]", "maxtime=04:00:00", "state=up");
        foreach (var script in scripts)
        {
            // For one alone: the others want its nodes.
            var isReserved = (await File.ReadAllTextAsync(script, TestContext.Current.CancellationToken)).Contains("--reservation=workshop", StringComparison.Ordinal);
            if (isReserved)
                await lab.RunAsync("scontrol", "create", "reservationname=workshop", "starttime=now", "duration=04:00:00", "nodes=n[1-4]", $"users={Environment.UserName}");
            (await lab.RunAsync("sbatch", "--test-only", script)).ShouldContain("to start at");
            if (isReserved)
                await lab.RunAsync("scontrol", "delete", "reservationname=workshop");
        }
    }
}
