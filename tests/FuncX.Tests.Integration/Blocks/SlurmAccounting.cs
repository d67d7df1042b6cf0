using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>One real Slurm with slurmdbd for all tests that need it; none where it is not installed. Its controller forgets jobs after ten seconds, and nobody may use an account that was not given to him.</summary>
public sealed class SlurmAccounting : IAsyncLifetime
{
    // It purges no more often than every ten seconds, whatever is smaller.
    private const string Forgetful = "MinJobAge=2\nAccountingStorageEnforce=associations";

    private SlurmLab? _lab;

    public SlurmLab Lab
    {
        get
        {
            Assert.SkipUnless(Scenario.Full, "a MariaDB and a slurmdbd for half a minute, and what they answer is in recordings too: tests/run --full");
            Assert.SkipWhen(SlurmLab.MissingToAccount is not null, SlurmLab.MissingToAccount ?? "");
            return _lab!;
        }
    }

    /// <summary>Waits until the controller knows no job any more, also none that has ended.</summary>
    public Task ForgottenAsync(TimeSpan? within = null) =>
        Eventually.TrueAsync(async () => (await Lab.RunAsync("squeue", "-h", "-t", "all", "-o", "%A %T")).Length == 0, "the controller has forgotten all jobs", within);

    public async ValueTask InitializeAsync()
    {
        if (Scenario.Full && SlurmLab.MissingToAccount is null)
            _lab = await SlurmLab.StartAsync(SourceTree.Root, nodes: 3, extra: Forgetful, accounting: true);
    }

    public async ValueTask DisposeAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }
}
