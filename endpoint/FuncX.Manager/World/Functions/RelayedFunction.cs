using FuncX.Manager.Pools;

namespace FuncX.Manager.World.Functions;

/// <summary>What a rank knows of a function: what it has of it, whom it has asked, and who has asked for it here.</summary>
internal sealed class RelayedFunction(FunctionDigest digest, long bytes)
{
    public FunctionDigest Digest => digest;

    public long Bytes => bytes;

    public FunctionContent Content { get; set; } = new(bytes);

    /// <summary>All of it is here, and right.</summary>
    public bool IsWhole { get; set; }

    /// <summary>The endpoint has the leader keep it.</summary>
    public bool IsKept { get; set; }

    /// <summary>The manager of this rank waits for it.</summary>
    public bool IsWanted { get; set; }

    /// <summary>It was asked for.</summary>
    public bool IsFetched { get; set; }

    /// <summary>It is to be asked for when others have come.</summary>
    public bool Waits { get; set; }

    /// <summary>Who was asked, and whether it has still to be said.</summary>
    public int From { get; set; }

    public bool IsUnsaid { get; set; }

    /// <summary>When who was asked has last sent something of it.</summary>
    public long HeardAt { get; set; }

    /// <summary>Who has sent the last piece.</summary>
    public int Sender { get; set; }

    /// <summary>Pieces of it came from more than one rank.</summary>
    public bool IsMixed { get; set; }

    /// <summary>How often the leader has sent it wrong.</summary>
    public int Failures { get; set; }

    public List<FunctionBelow> Below { get; } = [];

    /// <summary>It stands in the relay's list of those that something is to be done for.</summary>
    public bool IsListed { get; set; }

    public bool IsBusy => IsFetched || Waits || IsWanted || Below.Count > 0;

    /// <summary>Its place among those that are whole and that nobody has the relay keep.</summary>
    public LinkedListNode<RelayedFunction>? Spare { get; set; }

    public FunctionPrefix About(long offset) => new(digest, bytes, offset);
}
