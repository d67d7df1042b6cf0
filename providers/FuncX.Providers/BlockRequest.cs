namespace FuncX.Providers;

/// <summary>What a provider needs to start a block.</summary>
public sealed record BlockRequest
{
    public required string BlockId { get; init; }

    /// <summary>The endpoint's name, for job names and messages.</summary>
    public required string Endpoint { get; init; }

    /// <summary>Of which endpoint at which service it is: at most 16 of a-z 0-9, the same for all of its blocks and for no other endpoint's. Names its jobs.</summary>
    public string Owner { get; init; } = "";

    public required int Nodes { get; init; }

    /// <summary>The block's own directory (0700): rendezvous file and logs.</summary>
    public required string Directory { get; init; }

    /// <summary>The rendezvous file that every manager of the block reads.</summary>
    public required string Rendezvous { get; init; }

    /// <summary>One process, the block's agent, launches the managers of all nodes as MPI programs; else each node's manager is started, and dials in for itself.</summary>
    public bool OverMpi { get; init; }

    /// <summary>Lines that a batch script runs first: <c>module load</c>, <c>export</c>. They are shell text.</summary>
    public string Init { get; init; } = "";

    /// <summary>The program that each node runs.</summary>
    public required string Manager { get; init; }
}

/// <summary>A block and the id its provider gave it.</summary>
public sealed record SubmittedBlock(BlockRequest Block, string JobId);

/// <summary>Where a job stands, and in words why when it has ended or is not what it should be.</summary>
/// <param name="NodesLost">Of a running one: nodes without a manager, which <see cref="IBlockProvider.RepairAsync"/> may bring back.</param>
/// <param name="EndsAt">Of a running one: when its time will be over, as the provider says now; null: it does not say.</param>
/// <param name="Suspended">Of a running one: its processes stand still, to make room for another job.</param>
public readonly record struct BlockStatus(BlockState State, string Reason, int NodesLost = 0, DateTimeOffset? EndsAt = null, bool Suspended = false);

/// <summary>A provider refused or could not be asked.</summary>
public class BlockProviderException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A block was asked for and no answer came: there may be a job of it, or not. <see cref="IBlockProvider.FindAsync"/> tells.</summary>
public sealed class BlockSubmissionUnclearException(string message, Exception? inner = null) : BlockProviderException(message, inner);
