namespace FuncX.Providers;

/// <summary>What a provider needs to start a block.</summary>
public sealed record BlockRequest
{
    public required string BlockId { get; init; }

    /// <summary>The endpoint's name, for job names and messages.</summary>
    public required string Endpoint { get; init; }

    public required int Nodes { get; init; }

    /// <summary>The block's own directory (0700): rendezvous file and logs.</summary>
    public required string Directory { get; init; }

    /// <summary>The rendezvous file that every manager of the block reads.</summary>
    public required string Rendezvous { get; init; }

    /// <summary>The program that each node runs.</summary>
    public required string Manager { get; init; }
}

/// <summary>A block and the id its provider gave it.</summary>
public sealed record SubmittedBlock(BlockRequest Block, string JobId);

/// <summary>Where a job stands, and in words why when it has ended or is not what it should be.</summary>
/// <param name="NodesLost">Of a running one: nodes without a manager, which <see cref="IBlockProvider.RepairAsync"/> may bring back.</param>
public readonly record struct BlockStatus(BlockState State, string Reason, int NodesLost = 0);

/// <summary>A provider refused or could not be asked.</summary>
public sealed class BlockProviderException(string message, Exception? inner = null) : Exception(message, inner);
