namespace FuncX.Manager.World.Functions;

/// <summary>
/// What a message between two ranks is that concerns the body of a function; every one begins with a <see cref="FunctionPrefix"/>. Ranks form the tree that files to stage go down, too
/// (<see cref="Broadcast.BroadcastTag.AboveOf"/>).
/// </summary>
internal static class FunctionTag
{
    public const int First = 50;

    /// <summary>To the rank above, or to the leader: send it from the offset on, and go on until all is sent.</summary>
    public const int Ask = 50;

    /// <summary>The piece of it at the offset.</summary>
    public const int Piece = 51;

    /// <summary>It is on its way here, and not there yet.</summary>
    public const int Wait = 52;

    /// <summary>What was sent of it is wrong or may be: ask again, from the beginning.</summary>
    public const int Again = 53;

    /// <summary>It is not to be had here: ask the leader.</summary>
    public const int Absent = 54;
    public const int Last = 54;
}
