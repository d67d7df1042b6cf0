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
    }

    [Theory]
    [InlineData("lengths")]
    [InlineData("outcomes")]
    [InlineData("content types")]
    [InlineData("stdout")]
    [InlineData("codes")]
    [InlineData("bodies")]
    [InlineData("batch")]
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
            default: chunk.BatchId = ByteString.CopyFrom(1, 2); break;
        }

        Should.Throw<FuncXException>(() => new ResultChunkReader(chunk).Count);
    }

    private static ResultChunk Chunk(byte[][] values, bool withOutput, bool withOutcomes)
    {
        var id = new byte[BatchId.Size];
        BatchId.New(1).Write(id);
        var chunk = new ResultChunk { Cursor = 1, BatchId = ByteString.CopyFrom(id) };
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
