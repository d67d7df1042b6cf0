namespace FuncX.Manager.Engine;

/// <summary>What this rank has had of functions by the tree of its world, and given on. Written by the MPI thread alone; who reads may see a number that is a moment old.</summary>
internal sealed class FunctionCounts
{
    /// <summary>Functions that have come whole and right.</summary>
    public long Received { get; set; }

    public long BytesReceived { get; set; }

    public long BytesSent { get; set; }

    /// <summary>Changes with each of them.</summary>
    public long Sum => Received + BytesReceived + BytesSent;
}
