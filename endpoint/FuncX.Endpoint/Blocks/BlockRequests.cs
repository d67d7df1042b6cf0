using FuncX.Configuration;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>What a provider is asked for, by a machine's file.</summary>
/// <param name="owner">Names its jobs.</param>
internal sealed class BlockRequests(EndpointConfiguration configuration, string owner, string manager)
{
    private readonly BlockDirectories _directories = new(configuration);

    public BlockRequest Of(string blockId, int nodes) => new()
    {
        BlockId = blockId,
        Endpoint = configuration.Name,
        Owner = owner,
        Nodes = nodes,
        Directory = _directories.PathOf(blockId),
        Rendezvous = _directories.RendezvousOf(blockId),
        OverMpi = configuration.Transport == TransportKind.Mpi,
        Init = configuration.Provider.Init,
        Manager = manager,
    };
}
