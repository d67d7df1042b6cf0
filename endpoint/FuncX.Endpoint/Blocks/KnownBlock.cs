using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>A block as the supervisor knows it.</summary>
/// <param name="Nodes">Managers it is to have.</param>
/// <param name="Missing">Those of them that are known to be gone.</param>
/// <param name="Reason">Why it is in this state, where there is something to say.</param>
/// <param name="JobId">Empty until the provider has given it.</param>
public sealed record KnownBlock(string BlockId, BlockState State, int Nodes, int Missing, DateTimeOffset RequestedAt, string Reason, string JobId = "")
{
    /// <summary>The managers that may come back to the next process.</summary>
    /// <param name="managersPerNode">More than one only when they are simulated.</param>
    public int ManagersLeft(int managersPerNode) => (Nodes - Missing) * managersPerNode;
}
