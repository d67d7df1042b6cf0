namespace FuncX.Endpoint.Blocks;

/// <summary>How a block ended.</summary>
/// <param name="Reason">For people.</param>
/// <param name="TimeOver">Its walltime was over.</param>
public readonly record struct BlockEnding(string Reason, bool TimeOver = false);
