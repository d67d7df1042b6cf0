using FsCheck.Xunit;
using FuncX.Client;
using FuncX.Client.Results;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

public sealed class ResultChunkReaderTests
{
    [Property]
    public void Every_column_comes_back_whatever_is_in_it(byte[][] values, bool withOutput, bool withOutcomes)
    {
        var chunk = Chunk(values, withOutput, withOutcomes);

        var reader = new ResultChunkReader(chunk);

        reader.MoveNext().ShouldBeFalse("no batch was asked for");
        reader.NextBatch().ShouldBeTrue();
        reader.Batch.ShouldBe(BatchId.Read(chunk.BatchIds.Span));
        for (var index = 0; index < values.Length; index++)
        {
            reader.MoveNext().ShouldBeTrue();
            reader.Index.ShouldBe((uint)(values.Length - index));
            reader.Value.ToArray().ShouldBe(values[index]);
            reader.Outcome.ShouldBe(withOutcomes ? TaskOutcome.Exception : TaskOutcome.Value);
            reader.StandardOutput.Length.ShouldBe(withOutput ? index % 3 : 0);
            reader.StandardError.Length.ShouldBe(withOutput ? index % 2 : 0);
        }

        reader.MoveNext().ShouldBeFalse();
        reader.MoveNext().ShouldBeFalse();
        reader.NextBatch().ShouldBeFalse();
    }

    [Property]
    public void Each_batch_has_its_own_results_whichever_are_passed_over(byte[][][] batches, bool[] looked, bool withOutput)
    {
        if (batches.Length == 0)
            return;
        var chunk = Chunk([.. batches.SelectMany(static values => values)], withOutput, withOutcomes: false);
        var ids = batches.Select(static (_, number) => BatchId.New(number + 1)).ToArray();
        var bytes = new byte[ids.Length * BatchId.Size];
        for (var number = 0; number < ids.Length; number++)
            ids[number].Write(bytes.AsSpan(number * BatchId.Size));
        chunk.BatchIds = ByteString.CopyFrom(bytes);
        chunk.Counts.AddRange(batches.Select(static values => (uint)values.Length));

        var reader = new ResultChunkReader(chunk);

        reader.Count.ShouldBe(batches.Sum(static values => values.Length));
        var row = 0;
        for (var number = 0; number < batches.Length; number++)
        {
            reader.NextBatch().ShouldBeTrue();
            reader.Batch.ShouldBe(ids[number]);
            // The consumer may not know the batch, and may stop before its last result.
            var until = number < looked.Length && !looked[number] ? batches[number].Length / 2 : batches[number].Length;
            for (var index = 0; index < until; index++)
            {
                reader.MoveNext().ShouldBeTrue();
                reader.Value.ToArray().ShouldBe(batches[number][index]);
                reader.StandardOutput.Length.ShouldBe(withOutput ? (row + index) % 3 : 0);
            }

            if (until == batches[number].Length)
                reader.MoveNext().ShouldBeFalse();
            row += batches[number].Length;
        }

        reader.NextBatch().ShouldBeFalse();
    }

    [Property]
    public void Rows_whose_value_is_elsewhere_get_a_message_each_and_the_others_stay(byte[][] values, bool[] elsewhere, bool withOutput, bool withOutcomes, bool withTypes)
    {
        var large = values.Select((_, row) => row < elsewhere.Length && elsewhere[row]).ToArray();
        var chunk = Chunk([.. values.Select((value, row) => large[row] ? [] : value)], withOutput, withOutcomes);
        if (withTypes && values.Length > 0)
        {
            chunk.ContentTypes.Clear();
            chunk.ContentTypes.AddRange(values.Select(static (_, row) => 1 + ((uint)row % 3)));
        }

        foreach (var (value, row) in values.Select(static (value, row) => (value, row)).Where(entry => large[entry.row]))
        {
            chunk.Large.Add((uint)row);
            chunk.LargeLengths.Add((ulong)value.Length);
        }

        List<LargeRow> rows = [];
        var rest = LargeRow.Split(chunk, rows);

        rows.Count.ShouldBe(large.Count(static one => one));
        foreach (var row in rows)
            values[values.Length - (int)row.Task.Index].CopyTo(row.MakeRoom());
        var seen = new HashSet<uint>();
        foreach (var message in rows.Select(static row => row.Chunk).Append(rest))
        {
            message.Cursor.ShouldBe(chunk.Cursor);
            var reader = new ResultChunkReader(message);
            while (reader.NextBatch())
            {
                reader.Batch.ShouldBe(BatchId.Read(chunk.BatchIds.Span));
                while (reader.MoveNext())
                {
                    var row = values.Length - (int)reader.Index;
                    seen.Add(reader.Index).ShouldBeTrue();
                    reader.Value.ToArray().ShouldBe(values[row]);
                    reader.ContentType.ShouldBe((ContentType)(withTypes ? 1 + (row % 3) : 1));
                    reader.Outcome.ShouldBe(withOutcomes ? TaskOutcome.Exception : TaskOutcome.Value);
                    reader.StandardOutput.Length.ShouldBe(withOutput ? row % 3 : 0);
                    reader.StandardError.Length.ShouldBe(withOutput ? row % 2 : 0);
                }
            }
        }

        seen.Count.ShouldBe(values.Length);
    }

    [Theory]
    [InlineData("no length")]
    [InlineData("with a value here")]
    [InlineData("of no row")]
    [InlineData("out of order")]
    [InlineData("beyond an array")]
    public void Rows_elsewhere_that_do_not_fit_are_refused(string wrong)
    {
        var chunk = Chunk([[], [2], []], withOutput: true, withOutcomes: false);
        chunk.Large.AddRange(wrong switch { "with a value here" => [1u, 2u], "of no row" => [0u, 3u], "out of order" => [2u, 0u], _ => [0u, 2u] });
        chunk.LargeLengths.AddRange(wrong switch { "no length" => [1ul], "beyond an array" => [1ul, ulong.MaxValue], _ => [1ul, 1ul] });

        Should.Throw<FuncXException>(() => LargeRow.Split(chunk, []));
    }

    [Theory]
    [InlineData("lengths")]
    [InlineData("outcomes")]
    [InlineData("content types")]
    [InlineData("stdout")]
    [InlineData("codes")]
    [InlineData("bodies")]
    [InlineData("batch")]
    [InlineData("batches")]
    [InlineData("counts")]
    [InlineData("counts beyond 32 bits")]
    public void A_message_whose_columns_do_not_fit_is_refused(string column)
    {
        var chunk = Chunk([[1], [2, 3], [4]], withOutput: true, withOutcomes: true);
        switch (column)
        {
            case "lengths": chunk.Lengths.RemoveAt(0); break;
            case "outcomes": chunk.Outcomes.RemoveAt(0); break;
            case "content types": chunk.ContentTypes.Add(1); break;
            case "stdout": chunk.StdoutLengths.RemoveAt(0); break;
            case "codes": chunk.Codes.Add(0); break;
            case "bodies": chunk.Bodies = ByteString.CopyFrom([.. chunk.Bodies, 1]); break;
            case "batches": chunk.Counts.AddRange([1, 2]); break;
            case "counts": chunk.Counts.Add(2); break;
            case "counts beyond 32 bits":
                chunk.Counts.AddRange([uint.MaxValue, 4]);
                chunk.BatchIds = ByteString.CopyFrom([.. chunk.BatchIds, .. chunk.BatchIds]);
                break;
            default: chunk.BatchIds = ByteString.CopyFrom(1, 2); break;
        }

        Should.Throw<FuncXException>(() => new ResultChunkReader(chunk).Count);
    }

    private static ResultChunk Chunk(byte[][] values, bool withOutput, bool withOutcomes)
    {
        var id = new byte[BatchId.Size];
        BatchId.New(1).Write(id);
        var chunk = new ResultChunk { Cursor = 1, BatchIds = ByteString.CopyFrom(id) };
        chunk.ContentTypes.Add(1);
        var bodies = new List<byte>();
        for (var index = 0; index < values.Length; index++)
        {
            chunk.Index.Add((uint)(values.Length - index));
            chunk.Lengths.Add((uint)values[index].Length);
            bodies.AddRange(values[index]);
            if (withOutcomes)
                chunk.Outcomes.Add((uint)TaskOutcome.Exception);
        }

        for (var index = 0; withOutput && index < values.Length; index++)
        {
            chunk.StdoutLengths.Add((uint)(index % 3));
            chunk.StderrLengths.Add((uint)(index % 2));
            bodies.AddRange(new byte[(index % 3) + (index % 2)]);
        }

        chunk.Bodies = ByteString.CopyFrom([.. bodies]);
        return chunk;
    }
}
