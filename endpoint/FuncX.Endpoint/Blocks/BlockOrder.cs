namespace FuncX.Endpoint.Blocks;

/// <summary>What the dispatch loop wants of the supervisor.</summary>
internal readonly record struct BlockOrder(BlockOrderKind Kind, string BlockId);

internal enum BlockOrderKind
{
    Request,
    End,

    /// <summary>Its file is not up to date.</summary>
    Write,

    /// <summary>A manager of it has fallen silent: its provider may know why.</summary>
    Ask,
}
