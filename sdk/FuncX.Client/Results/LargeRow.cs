using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace FuncX.Client.Results;

/// <summary>A row of a message whose value is to be fetched: a message of its own.</summary>
internal sealed class LargeRow
{
    private readonly ReadOnlyMemory<byte> _output;
    private readonly int _bytes;

    private LargeRow(ResultChunk chunk, TaskId task, int bytes, ReadOnlyMemory<byte> output) => (Chunk, Task, _bytes, _output) = (chunk, task, bytes, output);

    /// <summary>The outcome; right once its value is there.</summary>
    public ResultChunk Chunk { get; }

    public TaskId Task { get; }

    /// <summary>Makes room for the value: not before, since many may wait for one who fetches.</summary>
    /// <returns>Where it goes.</returns>
    public Memory<byte> MakeRoom()
    {
        var bodies = GC.AllocateUninitializedArray<byte>(_bytes + _output.Length);
        _output.CopyTo(bodies.AsMemory(_bytes));
        Chunk.Bodies = UnsafeByteOperations.UnsafeWrap(bodies);
        Chunk.Lengths[0] = (uint)_bytes;
        return bodies.AsMemory(0, _bytes);
    }

    /// <summary>Makes it the outcome that the value cannot be had.</summary>
    public void Fail(string reason)
    {
        var failure = JsonSerializer.SerializeToUtf8Bytes(new FailureBody("ValueUnavailable", reason));
        Chunk.Outcomes.Clear();
        Chunk.Outcomes.Add((uint)TaskOutcome.Lost);
        Chunk.ContentTypes[0] = (uint)ContentType.Json;
        Chunk.Bodies = ByteString.CopyFrom([.. failure, .. _output.Span]);
        Chunk.Lengths[0] = (uint)failure.Length;
    }

    /// <summary>Takes the rows whose values are elsewhere out of a message; gives the message without them.</summary>
    /// <exception cref="FuncXException">The columns do not fit each other.</exception>
    public static ResultChunk Split(ResultChunk chunk, List<LargeRow> large)
    {
        if (chunk.Large.Count == 0)
            return chunk;
        var count = chunk.Index.Count;
        if (chunk.LargeLengths.Count != chunk.Large.Count)
            throw Malformed($"{chunk.Large.Count} rows are large, and {chunk.LargeLengths.Count} lengths came with them");
        var reader = new ResultChunkReader(chunk);
        var rest = new ResultChunk { Cursor = chunk.Cursor, BaseTime = chunk.BaseTime };
        using var batches = new MemoryStream();
        using var values = new MemoryStream();
        using var output = new MemoryStream();
        Span<byte> id = stackalloc byte[BatchId.Size];
        var (row, next) = (0, 0);
        while (reader.NextBatch())
        {
            var kept = 0u;
            while (reader.MoveNext())
            {
                if (next < chunk.Large.Count && chunk.Large[next] == row)
                {
                    large.Add(Take(chunk, row, chunk.LargeLengths[next++], reader));
                }
                else
                {
                    kept++;
                    AddRow(rest, chunk, row);
                    values.Write(reader.Value.Span);
                    output.Write(reader.StandardOutput.Span);
                    output.Write(reader.StandardError.Span);
                }

                row++;
            }

            reader.Batch.Write(id);
            batches.Write(id);
            rest.Counts.Add(kept);
        }

        if (next != chunk.Large.Count)
            throw Malformed($"row {chunk.Large[next]} of {count} is large, or the rows are not in order");
        values.Write(output.GetBuffer().AsSpan(0, (int)output.Length));
        rest.BatchIds = ByteString.CopyFrom(batches.ToArray());
        rest.Bodies = ByteString.CopyFrom(values.ToArray());
        if (rest.ContentTypes.Count == 0)
            rest.ContentTypes.Add(chunk.ContentTypes[0]);
        return rest;
    }

    private static LargeRow Take(ResultChunk chunk, int row, ulong bytes, in ResultChunkReader reader)
    {
        var output = reader.StandardOutput.Length + reader.StandardError.Length;
        if (reader.Value.Length > 0 || bytes > (ulong)(Array.MaxLength - output))
            throw Malformed($"the large value in row {row} has {reader.Value.Length} bytes here and {bytes} elsewhere");
        var written = new byte[output];
        reader.StandardOutput.CopyTo(written);
        reader.StandardError.CopyTo(written.AsMemory(reader.StandardOutput.Length));
        var id = new byte[BatchId.Size];
        reader.Batch.Write(id);
        var own = new ResultChunk { Cursor = chunk.Cursor, BaseTime = chunk.BaseTime, BatchIds = UnsafeByteOperations.UnsafeWrap(id) };
        AddRow(own, chunk, row);
        if (own.ContentTypes.Count == 0)
            own.ContentTypes.Add(chunk.ContentTypes[0]);
        return new LargeRow(own, new TaskId(reader.Batch, reader.Index), (int)bytes, written);
    }

    private static void AddRow(ResultChunk target, ResultChunk source, int row)
    {
        Copy(source.Index, target.Index);
        Copy(source.Outcomes, target.Outcomes);
        if (source.ContentTypes.Count > 1)
            Copy(source.ContentTypes, target.ContentTypes);
        Copy(source.Lengths, target.Lengths);
        Copy(source.StdoutLengths, target.StdoutLengths);
        Copy(source.StderrLengths, target.StderrLengths);
        Copy(source.Codes, target.Codes);
        Copy(source.Started, target.Started);
        Copy(source.Ran, target.Ran);

        void Copy<T>(RepeatedField<T> from, RepeatedField<T> to)
        {
            if (from.Count > 0)
                to.Add(from[row]);
        }
    }

    private static FuncXException Malformed(string seen) => new(FuncXErrorKind.Failed, $"The service sent a result message that cannot be right: {seen}.");
}
