using FuncX.Configuration;
using FuncX.Providers.Batch;
using FuncX.Providers.Cobalt;
using FuncX.Providers.Pbs;
using FuncX.Providers.Slurm;

namespace FuncX.Endpoint.Blocks;

/// <summary>The scheduler that a machine's file names, with its settings.</summary>
internal static class BatchSchedulers
{
    /// <summary>Null with a provider that is no scheduler.</summary>
    public static IBatchScheduler? Of(EndpointConfiguration configuration)
    {
        var provider = configuration.Provider;
        var cores = configuration.Workers.PerNode * configuration.Workers.CoresPerWorker;
        return provider.Type switch
        {
            ProviderKind.Slurm => new SlurmScheduler(new SlurmSettings
            {
                Walltime = provider.Walltime!.Value,
                CoresPerNode = cores,
                Account = provider.Account,
                Partition = provider.Partition,
                Qos = provider.Qos,
                Reservation = provider.Reservation,
                Constraint = provider.Constraint,
                Exclusive = provider.Exclusive,
                Gres = provider.Gres,
                GpusPerNode = provider.GpusPerNode,
                Licenses = provider.Licenses,
                Directives = provider.Directives,
            }),
            ProviderKind.Pbs => new PbsScheduler(new PbsSettings
            {
                Walltime = provider.Walltime!.Value,
                Variant = provider.Variant == PbsKind.Torque ? PbsVariant.Torque : PbsVariant.Openpbs,
                CoresPerNode = cores,
                Select = provider.Select,
                Place = provider.Place ?? "scatter",
                Queue = provider.Queue,
                Reservation = provider.Reservation,
                Account = provider.Account,
                Filesystems = provider.Filesystems,
                Directives = provider.Directives,
            }),
            ProviderKind.Cobalt => new CobaltScheduler(new CobaltSettings
            {
                Walltime = provider.Walltime!.Value,
                Queue = provider.Queue,
                Reservation = provider.Reservation,
                Account = provider.Account,
                Filesystems = provider.Filesystems,
                Attributes = provider.Attributes,
                Environment = provider.Environment,
                Directives = provider.Directives,
            }),
            _ => null,
        };
    }
}
