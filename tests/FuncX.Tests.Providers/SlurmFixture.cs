using FuncX.Cluster;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>One private Slurm for all tests that need one; none where it is not installed.</summary>
public sealed class SlurmFixture : IAsyncLifetime
{
    private SlurmLab? _lab;

    public SlurmLab Lab
    {
        get
        {
            Assert.SkipWhen(SlurmLab.Missing is not null, SlurmLab.Missing ?? "");
            return _lab!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (SlurmLab.Missing is not null)
            return;
        _lab = await SlurmLab.StartAsync(BlockScratch.Repository);
        // The provider's commands find it by the environment of this process, as they do on a login node.
        Environment.SetEnvironmentVariable("SLURM_CONF", _lab.Configuration);
    }

    public async ValueTask DisposeAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }
}
