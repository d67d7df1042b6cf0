using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>A block as the file makes it and the scheduler that it would be submitted to, for checks that ask about it and submit nothing.</summary>
internal sealed record UnsubmittedBlock(IBatchScheduler Scheduler, BatchJob Job)
{
    /// <summary>Null with a provider that is no scheduler.</summary>
    public static UnsubmittedBlock? Of(EndpointConfiguration configuration) => BatchSchedulers.Of(configuration) is { } scheduler
        ? new(scheduler, new BatchJob(new BlockRequests(configuration, "doctor", "funcx-manager").Of("doctor", configuration.Provider.Nodes)))
        : null;
}
