using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>
/// Encodes the outcomes of one batch that are committed together, column by column. Pure. Benchmark: bench store.
/// <code>
/// u32 length behind this | u64 group | varint owner | 12 batch | varint batch number | varint count | u8 flags | u16 two bits per column of times
/// i64 batch committed | indexes | outcomes | content types | value lengths | stdout and stderr lengths | codes | attempts | large bodies | times | small bodies
/// </code>
/// </summary>
public static class ResultSectionWriter
{
    internal const int ColumnAbsent = 0;
    internal const int ColumnSame = 1;
    internal const int ColumnDeltas = 2;
    internal const int Columns = 8;

    /// <summary>Writes the chain of results that begins at <paramref name="first"/>.</summary>
    public static void Write(ChunkBuffer output, BatchKey batch, long batchNumber, ulong group, long committed, long chunkTime, TaskResult[] results, int first, int count)
    {
        var lengthAt = output.Length;
        output.Fixed32(0);
        output.Fixed64((long)group);
        output.Varint(batch.Owner);
        batch.Id.Write(output.Take(BatchId.Size));
        output.Varint(batchNumber);
        output.Varint(count);
        var flags = FlagsOf(results, first);
        output.Byte((byte)flags);
        var kindsAt = output.Length;
        output.Take(2);
        output.Fixed64(committed);
        WriteColumns(output, flags, results, first);
        var kinds = 0;
        for (var column = 0; column < Columns; column++)
            kinds |= WriteTimes(output, (ResultTimes)column, chunkTime, results, first) << (column * 2);
        output.Slice(kindsAt, 2)[0] = (byte)kinds;
        output.Slice(kindsAt, 2)[1] = (byte)(kinds >> 8);
        for (var row = first; row >= 0; row = results[row].Next)
        {
            if (results[row].Large.IsNone)
                output.Bytes(results[row].Body.Span);
        }

        output.Patch32(lengthAt, output.Length - lengthAt - 4);
    }

    internal static long TimeOf(in TaskResult result, ResultTimes column) => column switch
    {
        ResultTimes.Sent => result.Sent,
        ResultTimes.EndpointReceived => result.EndpointReceived,
        ResultTimes.EndpointSent => result.EndpointSent,
        ResultTimes.ManagerReceived => result.ManagerReceived,
        ResultTimes.WorkerStarted => result.WorkerStarted,
        ResultTimes.WorkerEnded => result.WorkerEnded,
        ResultTimes.EndpointBack => result.EndpointBack,
        _ => result.ServiceBack,
    };

    private static ResultFlags FlagsOf(TaskResult[] results, int first)
    {
        var flags = ResultFlags.Contiguous | ResultFlags.AllValues | ResultFlags.SameContentType | ResultFlags.SameLength | ResultFlags.AllFirstAttempts;
        ref readonly var head = ref results[first];
        var expected = head.Index;
        for (var row = first; row >= 0;)
        {
            ref readonly var result = ref results[row];
            if (result.Index != expected++)
                flags &= ~ResultFlags.Contiguous;
            if (result.Outcome != TaskOutcome.Value)
                flags &= ~ResultFlags.AllValues;
            if (result.ContentType != head.ContentType)
                flags &= ~ResultFlags.SameContentType;
            if (result.ValueBytes != head.ValueBytes)
                flags &= ~ResultFlags.SameLength;
            if (result.Attempt != 1)
                flags &= ~ResultFlags.AllFirstAttempts;
            if (result.StdoutBytes != 0 || result.StderrBytes != 0)
                flags |= ResultFlags.Output;
            if (result.Code != 0)
                flags |= ResultFlags.Codes;
            if (!result.Large.IsNone)
                flags |= ResultFlags.Large;
            row = result.Next;
        }

        return flags;
    }

    private static void WriteColumns(ChunkBuffer output, ResultFlags flags, TaskResult[] results, int first)
    {
        ref readonly var head = ref results[first];
        output.Varint(head.Index);
        var previous = head.Index;
        if ((flags & ResultFlags.Contiguous) == 0)
        {
            for (var row = head.Next; row >= 0; row = results[row].Next)
            {
                output.Zigzag(results[row].Index - previous);
                previous = results[row].Index;
            }
        }

        if ((flags & ResultFlags.AllValues) == 0)
        {
            for (var row = first; row >= 0; row = results[row].Next)
                output.Byte((byte)results[row].Outcome);
        }

        output.Byte((byte)head.ContentType);
        if ((flags & ResultFlags.SameContentType) == 0)
        {
            for (var row = head.Next; row >= 0; row = results[row].Next)
                output.Byte((byte)results[row].ContentType);
        }

        output.Varint(head.ValueBytes);
        if ((flags & ResultFlags.SameLength) == 0)
        {
            for (var row = head.Next; row >= 0; row = results[row].Next)
                output.Varint(results[row].ValueBytes);
        }

        if ((flags & ResultFlags.Output) != 0)
        {
            for (var row = first; row >= 0; row = results[row].Next)
            {
                output.Varint(results[row].StdoutBytes);
                output.Varint(results[row].StderrBytes);
            }
        }

        if ((flags & ResultFlags.Codes) != 0)
        {
            for (var row = first; row >= 0; row = results[row].Next)
                output.Zigzag(results[row].Code);
        }

        if ((flags & ResultFlags.AllFirstAttempts) == 0)
        {
            for (var row = first; row >= 0; row = results[row].Next)
                output.Varint(results[row].Attempt);
        }

        if ((flags & ResultFlags.Large) != 0)
        {
            for (var row = first; row >= 0; row = results[row].Next)
                results[row].Large.Write(output);
        }
    }

    private static int WriteTimes(ChunkBuffer output, ResultTimes column, long chunkTime, TaskResult[] results, int first)
    {
        var head = TimeOf(results[first], column);
        var same = true;
        for (var row = results[first].Next; row >= 0 && same; row = results[row].Next)
            same = TimeOf(results[row], column) == head;
        if (same && head == 0)
            return ColumnAbsent;
        output.Zigzag(head - chunkTime);
        if (same)
            return ColumnSame;
        for (var row = results[first].Next; row >= 0; row = results[row].Next)
        {
            var time = TimeOf(results[row], column);
            output.Zigzag(time - head);
            head = time;
        }

        return ColumnDeltas;
    }
}
