using FuncX.Mpi;

namespace FuncX.Manager.World.Broadcast;

/// <summary>What a rank has asked this one for.</summary>
internal sealed class RankBelow(WorldPeer peer)
{
    public WorldPeer Peer => peer;

    public int File { get; set; }

    /// <summary>It waits to hear what the file is.</summary>
    public bool AsksWhat { get; set; }

    /// <summary>The next byte that is read for it, and where it wants no more.</summary>
    public long Next { get; set; }

    public long UpTo { get; set; }

    /// <summary>Read and not sent.</summary>
    public Queue<MpiBuffer> Pieces { get; } = new();

    /// <summary>When it was last told anything.</summary>
    public long ToldAt { get; set; }

    public bool IsServed => !AsksWhat && Next >= UpTo && Pieces.Count == 0;

    public void Drop()
    {
        while (Pieces.TryDequeue(out var piece))
            piece.Dispose();
    }
}
