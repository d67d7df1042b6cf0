using FuncX.Manager.Pools;

namespace FuncX.Manager.World.Functions;

/// <summary>What a relay has done by its rank.</summary>
internal interface IRelayEffects
{
    /// <summary>Whether a short message may go to a rank now.</summary>
    bool MaySay(int rank);

    /// <summary>Whether a piece may: few are on their way to one rank at once, so that one that does not listen keeps nothing else.</summary>
    bool MaySend(int rank);

    /// <summary>Whether nothing is on its way there.</summary>
    bool HasAll(int rank);

    void Say(int rank, int tag, in FunctionPrefix about);

    void Send(int rank, FunctionPiece piece);

    /// <summary>A function that the manager of this rank has asked for is here; it is the relay's.</summary>
    void OnBrought(FunctionDigest digest, FunctionContent content);

    /// <summary>It will not come: the leader does not have it, or sends it wrong.</summary>
    void OnLost(FunctionDigest digest);

    void Report(string problem);
}
