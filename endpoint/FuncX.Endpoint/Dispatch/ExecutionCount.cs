namespace FuncX.Endpoint.Dispatch;

/// <summary>How often one owner's function was handed to the managers of one block. On the loop only.</summary>
internal sealed class ExecutionCount(string block, string job, int function, int owner)
{
    public string Block { get; } = block;

    /// <summary>As it was called when the first task was handed out: it is gone before the last word.</summary>
    public string Job { get; } = job;

    public int Function { get; } = function;

    public int Owner { get; } = owner;

    public long Tasks { get; set; }

    /// <summary>What the log says of it.</summary>
    public long Logged { get; set; }
}
