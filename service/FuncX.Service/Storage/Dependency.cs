using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>What a batch runs after. Pure.</summary>
/// <param name="Batch">A batch of the same owner and group.</param>
/// <param name="Index">One of its tasks; <see cref="Whole"/>: all of them.</param>
/// <param name="Ended">How it had ended when the batch was accepted; <see cref="TaskOutcome.None"/>: it had not. A whole batch has failed with its first task that did.</param>
public readonly record struct Dependency(BatchId Batch, int Index, TaskOutcome Ended = TaskOutcome.None)
{
    public const int Whole = -1;
    public const int Most = 1_000;

    public bool HasFailed => Ended is not (TaskOutcome.None or TaskOutcome.Value);

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static bool TryParse(string text, out Dependency dependency)
    {
        var read = true;
        if (TaskId.TryParse(text, out var task) && task.Index <= int.MaxValue)
            dependency = new Dependency(task.Batch, (int)task.Index);
        else if (BatchId.TryParse(text, out var batch))
            dependency = new Dependency(batch, Whole);
        else
            (dependency, read) = (default, false);
        return read;
    }

    /// <summary>The task's or the batch's id.</summary>
    public override string ToString() => Index == Whole ? Batch.ToString() : new TaskId(Batch, (uint)Index).ToString();

    /// <summary>12 batch | varint index + 1 | u8 outcome</summary>
    public void Write(ChunkBuffer output)
    {
        Batch.Write(output.Take(BatchId.Size));
        output.Varint(Index + 1);
        output.Byte((byte)Ended);
    }

    public static Dependency Read(ref ChunkCursor input)
    {
        var batch = BatchId.Read(input.Bytes(BatchId.Size));
        var index = input.Count() - 1;
        var ended = (TaskOutcome)input.Byte();
        return ended <= TaskOutcome.Expired ? new Dependency(batch, index, ended) : throw new ChunkException($"a dependency on batch {batch} has outcome {(byte)ended}, which this release does not know");
    }
}
