using System.Buffers;

namespace FuncX.Manager.World;

/// <summary>What the MPI thread serves: the leader on rank 0, and a rank's manager.</summary>
internal interface IWorldPart
{
    /// <summary>Whether messages with this tag are for this part.</summary>
    bool Takes(int tag);

    /// <summary>Memory of at least its length to receive a message in.</summary>
    IMemoryOwner<byte> Room(int tag, int bytes);

    /// <summary>A message is there, those of one rank in the order in which they were sent. The memory is this part's from now on. True when it was traffic.</summary>
    bool OnMessage(int source, int tag, IMemoryOwner<byte> room, int bytes);

    /// <summary>Sends what there is to send; true when it was traffic. Called in every round of the loop.</summary>
    /// <param name="news">Another thread has told that there is something.</param>
    /// <param name="now">Microseconds, as <see cref="Interop.NodeTimer.Now"/> gives them.</param>
    bool Send(bool news, long now);

    /// <summary>When it wants to be asked again at the latest, in the same microseconds.</summary>
    long Due { get; }

    /// <summary>Sends to the peer of this part have finished.</summary>
    void OnFinished(WorldPeer peer);

    /// <summary>What was sent to the peer of this part has not gone there: later messages may arrive all the same.</summary>
    /// <param name="why">For people.</param>
    void OnSendFailed(WorldPeer peer, string why);

    /// <summary>A message for this part was announced, and could not be received.</summary>
    /// <param name="why">For people.</param>
    void OnReceiveFailed(int source, int tag, int bytes, string why);
}
