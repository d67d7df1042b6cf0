namespace FuncX.Manager.World.Broadcast;

/// <summary>
/// What a message between two ranks is that concerns files to stage; every one begins with a <see cref="BroadcastPrefix"/>. Ranks form a tree: each asks the one above
/// it, and the leader at the top has the files from the file system.
/// </summary>
internal static class BroadcastTag
{
    public const int First = 40;

    /// <summary>To the rank above: which file is this, when <see cref="AsksWhat"/> is among the flags; send of it from the offset, when <see cref="Begins"/> is, up to the i64 behind the prefix.</summary>
    public const int Request = 40;

    /// <summary>What the file is, in JSON.</summary>
    public const int What = 41;

    /// <summary>The piece of it at the offset.</summary>
    public const int Piece = 42;

    /// <summary>It is not here yet; why it does not come, in UTF-8, or nothing.</summary>
    public const int Wait = 43;

    /// <summary>This rank cannot give it for now: ask the one above it.</summary>
    public const int Above = 44;
    public const int Last = 44;

    // Flags.
    public const uint AsksWhat = 1;
    public const uint Begins = 2;

    /// <summary>The rank above a rank; the leader is above all.</summary>
    public static int AboveOf(int rank) => (rank - 1) / 2;
}
