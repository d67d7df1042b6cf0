namespace FuncX.Endpoint.Blocks;

/// <summary>Is told by a <see cref="BlockSupervisor"/> how its blocks fare, from the supervisor's loop or from within a call of it: returns at once.</summary>
public interface IBlockObserver
{
    /// <summary>The provider has given it nodes. Told once.</summary>
    void OnBlockRunning(string blockId);

    /// <summary>It is over, or could not be had. Told once for each block that was requested or survived.</summary>
    void OnBlockEnded(string blockId, BlockEnding ending);

    /// <summary>When its time will be over: told as soon as the provider says so, and when it says another time.</summary>
    void OnBlockEnds(string blockId, DateTimeOffset endsAt);

    /// <summary>Its processes stand still from now on, or go on.</summary>
    void OnBlockSuspended(string blockId, bool suspended);

    /// <summary>Why it waits, when that changes; empty: it does not, or nobody knows.</summary>
    void OnBlockPending(string blockId, string reason);
}
