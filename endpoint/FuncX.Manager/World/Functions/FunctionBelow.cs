namespace FuncX.Manager.World.Functions;

/// <summary>A rank that has asked this one for a function.</summary>
internal sealed class FunctionBelow(int rank)
{
    public int Rank => rank;

    /// <summary>The next byte for it.</summary>
    public long Next { get; set; }

    /// <summary>When it was last told anything.</summary>
    public long ToldAt { get; set; }
}
