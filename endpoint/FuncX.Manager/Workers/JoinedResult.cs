using System.Buffers.Binary;
using System.Runtime.InteropServices;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>A result that came in segments, as they came: it goes up only when all of it is there, so a worker's death leaves no half.</summary>
internal sealed unsafe class JoinedResult
{
    /// <summary>Largest result one batch can hold.</summary>
    public const long MaxBody = 2_000_000_000;

    private readonly byte* _frames;
    private readonly int _capacity;
    private long _missing;

    public JoinedResult(ReadOnlySpan<byte> first)
    {
        Whole = BinaryPrimitives.ReadInt64LittleEndian(first[FrameHeader.Size..]);
        var part = first.Length - FrameHeader.Size - sizeof(long);
        if (Whole < part || Whole > MaxBody)
            throw new FrameException($"a segmented result of {Whole} bytes; between {part} and {MaxBody} are possible here");
        _missing = Whole - part;
        _capacity = (int)(Whole + sizeof(long) + ((2 + (_missing / FrameHeader.MaxBody)) * FrameHeader.Size));
        _frames = (byte*)NativeMemory.Alloc((nuint)_capacity);
        first.CopyTo(new Span<byte>(_frames, _capacity));
        Length = first.Length;
    }

    /// <summary>Bytes of the body in all its frames.</summary>
    public long Whole { get; }

    public int Length { get; private set; }

    /// <summary>All frames, back to back.</summary>
    public Span<byte> Frames => new(_frames, Length);

    /// <summary>Adds a segment; true when it was the last.</summary>
    public bool Add(ReadOnlySpan<byte> frame)
    {
        _missing -= frame.Length - FrameHeader.Size;
        if (_missing < 0 || frame.Length > _capacity - Length)
            throw new FrameException($"the segments of a result have more than the {Whole} bytes that were announced");
        frame.CopyTo(new Span<byte>(_frames + Length, _capacity - Length));
        Length += frame.Length;
        var last = (frame[FrameHeader.FlagsOffset] & (byte)FrameFlags.Last) != 0;
        if (last != (_missing == 0))
            throw new FrameException($"the segments of a result end with {_missing} of {Whole} bytes missing");
        return last;
    }

    public void Free() => NativeMemory.Free(_frames);
}
