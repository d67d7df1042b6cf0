using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Cluster;

/// <summary>One outcome as the service's stream of results tells it.</summary>
public readonly record struct TaskResult(
    TaskId Task, Outcome Outcome, ContentType ContentType, ReadOnlyMemory<byte> Value, ReadOnlyMemory<byte> Output, ReadOnlyMemory<byte> Error, int Code, long Started, long Ended)
{
    /// <summary>The value as text.</summary>
    public string Text => System.Text.Encoding.UTF8.GetString(Value.Span);

    /// <summary>Takes a chunk apart.</summary>
    /// <exception cref="InvalidDataException">Its columns do not fit each other.</exception>
    public static IEnumerable<TaskResult> Decode(ResultChunk chunk)
    {
        var count = chunk.Index.Count;
        var batches = BatchesOf(chunk);
        Check("batches", batches.Count, count);
        Check("lengths", chunk.Lengths.Count, count);
        CheckOrEmpty("outcomes", chunk.Outcomes.Count, count);
        CheckOrEmpty("stdout_lengths", chunk.StdoutLengths.Count, count);
        CheckOrEmpty("stderr_lengths", chunk.StderrLengths.Count, count);
        CheckOrEmpty("codes", chunk.Codes.Count, count);
        CheckOrEmpty("started", chunk.Started.Count, count);
        CheckOrEmpty("ran", chunk.Ran.Count, count);
        if (chunk.ContentTypes.Count != 1)
            Check("content_types", chunk.ContentTypes.Count, count);
        var bodies = chunk.Bodies.Memory;
        var offset = 0;
        var outputOffset = (int)chunk.Lengths.Sum(static length => length);
        for (var i = 0; i < count; i++)
        {
            var length = (int)chunk.Lengths[i];
            var value = bodies.Slice(offset, length);
            offset += length;
            var output = Take(chunk.StdoutLengths.Count == 0 ? 0 : chunk.StdoutLengths[i]);
            var error = Take(chunk.StderrLengths.Count == 0 ? 0 : chunk.StderrLengths[i]);
            var started = chunk.Started.Count == 0 ? 0 : chunk.BaseTime + chunk.Started[i];
            yield return new TaskResult(
                new TaskId(batches[i], chunk.Index[i]),
                chunk.Outcomes.Count == 0 ? Outcome.Value : (Outcome)chunk.Outcomes[i],
                (ContentType)chunk.ContentTypes[chunk.ContentTypes.Count == 1 ? 0 : i],
                value, output, error,
                chunk.Codes.Count == 0 ? 0 : chunk.Codes[i],
                started,
                chunk.Ran.Count == 0 ? 0 : started + chunk.Ran[i]);
        }

        if (outputOffset != bodies.Length)
            throw new InvalidDataException($"a chunk of {count} outcomes has {bodies.Length} bytes of bodies, its lengths say {outputOffset}");

        ReadOnlyMemory<byte> Take(uint length)
        {
            var taken = bodies.Slice(outputOffset, (int)length);
            outputOffset += (int)length;
            return taken;
        }

        void Check(string column, int seen, int right)
        {
            if (seen != right)
                throw new InvalidDataException($"a chunk has {right} outcomes but {seen} in {column}");
        }

        void CheckOrEmpty(string column, int seen, int right)
        {
            if (seen != 0)
                Check(column, seen, right);
        }
    }

    /// <summary>The batch of each row.</summary>
    private static List<BatchId> BatchesOf(ResultChunk chunk)
    {
        var batches = new List<BatchId>();
        var counts = chunk.Counts.Count == 0 ? [(uint)chunk.Index.Count] : chunk.Counts.ToArray();
        if (chunk.BatchIds.Length != counts.Length * BatchId.Size)
            throw new InvalidDataException($"a chunk has {chunk.BatchIds.Length} bytes of batch ids for {counts.Length} batches");
        for (var index = 0; index < counts.Length; index++)
            batches.AddRange(Enumerable.Repeat(BatchId.Read(chunk.BatchIds.Span[(index * BatchId.Size)..]), (int)counts[index]));
        return batches;
    }
}
