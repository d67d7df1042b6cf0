using FuncX.Configuration;
using FuncX.Endpoint.Core.Launching;

namespace FuncX.Endpoint.Blocks;

/// <summary>In whose job a block's agent will be.</summary>
internal static class BlockAllocation
{
    /// <summary>Empty: in none. Of which the job is that <c>allocation</c> works in, that job's environment says.</summary>
    public static IReadOnlyCollection<AllocationKind> KindsOf(ProviderKind provider) => provider switch
    {
        ProviderKind.Slurm => [AllocationKind.Slurm],
        ProviderKind.Pbs => [AllocationKind.Pbs],
        ProviderKind.Cobalt => [AllocationKind.Cobalt],
        ProviderKind.Allocation => Enum.GetValues<AllocationKind>(),
        _ => [],
    };
}
