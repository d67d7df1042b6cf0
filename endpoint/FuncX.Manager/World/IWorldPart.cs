using FuncX.Mpi;

namespace FuncX.Manager.World;

/// <summary>What the MPI thread serves: the leader on rank 0, and a rank's manager.</summary>
internal interface IWorldPart
{
    /// <summary>Takes a matched message when it is this part's, and receives it. True when it is, and then whether it was traffic.</summary>
    bool TryReceive(MpiMessage message, out bool traffic);

    /// <summary>Sends what there is to send; true when it was traffic. Called in every round of the loop.</summary>
    /// <param name="news">Another thread has told that there is something.</param>
    /// <param name="now">Microseconds, as <see cref="Interop.NodeTimer.Now"/> gives them.</param>
    bool Send(bool news, long now);

    /// <summary>When it wants to be asked again at the latest, in the same microseconds.</summary>
    long Due { get; }

    /// <summary>Sends to the peer of this part have finished.</summary>
    void OnFinished(WorldPeer peer);
}
