using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>A Slurm of two nodes and a service beside it, for tests that leave nothing in either.</summary>
public sealed class SlurmDoctorLab : IAsyncLifetime
{
    private SlurmLab? _slurm;
    private LocalCluster? _cluster;

    public SlurmLab Slurm => _slurm ?? throw new InvalidOperationException(SlurmLab.Missing);

    public LocalCluster Cluster => _cluster ?? throw new InvalidOperationException(SlurmLab.Missing);

    public async ValueTask InitializeAsync()
    {
        if (SlurmLab.Missing is not null)
            return;
        _slurm = await SlurmLab.StartAsync(SourceTree.Root, nodes: 2);
        _cluster = await LocalCluster.StartServiceAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        if (_slurm is not null)
            await _slurm.DisposeAsync();
    }
}
