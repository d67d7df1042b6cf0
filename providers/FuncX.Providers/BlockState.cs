namespace FuncX.Providers;

/// <summary>Where a block stands with its provider.</summary>
public enum BlockState
{
    /// <summary>The provider could not say; ask again. Never taken for an end.</summary>
    Unknown = 0,

    /// <summary>Waiting for nodes.</summary>
    Pending,

    Running,

    /// <summary>Ended by itself with exit status 0.</summary>
    Completed,

    /// <summary>Ended by itself with another exit status or a signal.</summary>
    Failed,

    /// <summary>Ended because it was cancelled.</summary>
    Cancelled,

    /// <summary>Ended because its walltime was over.</summary>
    TimedOut,

    /// <summary>Gone, and nothing says how it ended.</summary>
    Lost,
}

public static class BlockStates
{
    /// <summary>Whether the block is over and will not come back.</summary>
    public static bool IsEnd(this BlockState state) => state is BlockState.Completed or BlockState.Failed or BlockState.Cancelled
        or BlockState.TimedOut or BlockState.Lost;
}
