using System.Buffers;
using BenchmarkDotNet.Attributes;
using FuncX.Wire;

namespace FuncX.Microbenchmarks;

/// <summary>Encoding and decoding of frames with a small body; no allocation per frame.</summary>
[MemoryDiagnoser]
public class FrameCodecBenchmarks
{
    private const int Frames = 1_000;
    private readonly byte[] _body = "[12345]"u8.ToArray();
    private readonly ArrayBufferWriter<byte> _output = new(Frames * 128);
    private readonly TaskId _task = new(BatchId.New(1_700_000_000_000), 7);
    private ReadOnlySequence<byte> _whole;
    private ReadOnlySequence<byte> _split;

    [GlobalSetup]
    public void Setup()
    {
        WriteAll();
        var bytes = _output.WrittenSpan.ToArray();
        _whole = new ReadOnlySequence<byte>(bytes);
        _split = Piece.Split(bytes, 4_000);
    }

    [Benchmark(OperationsPerInvoke = Frames)]
    public int Write() => WriteAll();

    [Benchmark(OperationsPerInvoke = Frames)]
    public int ReadContiguous()
    {
        var input = _whole.FirstSpan;
        var read = 0;
        while (FrameReader.TryRead(input, out _, out var length))
        {
            input = input[length..];
            read++;
        }

        return read;
    }

    [Benchmark(OperationsPerInvoke = Frames)]
    public int ReadSequence() => ReadAll(_whole);

    [Benchmark(OperationsPerInvoke = Frames)]
    public int ReadSequenceInPieces() => ReadAll(_split);

    private static int ReadAll(ReadOnlySequence<byte> input)
    {
        var read = 0;
        while (FrameReader.TryRead(ref input, out _, out _))
            read++;
        return read;
    }

    private int WriteAll()
    {
        _output.ResetWrittenCount();
        var header = new FrameHeader { Kind = FrameKind.Task, Attempt = 1, Epoch = 1, Task = _task, Function = 1, Owner = 1, ContentType = ContentType.Json };
        for (var i = 0; i < Frames; i++)
            FrameWriter.Write(_output, header, _body);
        return _output.WrittenCount;
    }

    /// <summary>A sequence of pieces, as a pipe hands them out.</summary>
    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public static ReadOnlySequence<byte> Split(byte[] bytes, int size)
        {
            var first = new Piece { Memory = bytes.AsMemory(0, Math.Min(size, bytes.Length)) };
            var last = first;
            for (var at = size; at < bytes.Length; at += size)
            {
                var next = new Piece { Memory = bytes.AsMemory(at, Math.Min(size, bytes.Length - at)), RunningIndex = at };
                last.Next = next;
                last = next;
            }

            return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
        }
    }
}
