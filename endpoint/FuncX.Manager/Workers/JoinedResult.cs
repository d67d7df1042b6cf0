using System.Buffers.Binary;
using System.Runtime.InteropServices;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>The body of a result that came in segments: it goes up, cut anew, only when all of it is there, so a worker's death leaves no half.</summary>
internal sealed unsafe class JoinedResult
{
    private readonly byte[] _header = new byte[FrameHeader.Size];
    private readonly byte* _body;
    private readonly int _bytes;
    private int _filled;

    /// <param name="first">The first frame.</param>
    /// <param name="largest">Most bytes of the body.</param>
    /// <exception cref="FrameException">It does not begin such a result.</exception>
    public JoinedResult(ReadOnlySpan<byte> first, long largest)
    {
        var whole = first.Length == FrameHeader.MaxFrame ? BinaryPrimitives.ReadInt64LittleEndian(first[FrameHeader.Size..]) : 0;
        if (whole <= FrameHeader.MaxBody || whole > largest)
        {
            throw new FrameException(
                $"a first frame of {first.Length} bytes of a segmented result of {whole}; it should have {FrameHeader.MaxFrame}, the result {FrameHeader.MaxBody + 1} to {largest}");
        }

        first[..FrameHeader.Size].CopyTo(_header);
        _bytes = (int)whole;
        _body = (byte*)NativeMemory.Alloc((nuint)_bytes);
        Append(first[(FrameHeader.Size + sizeof(long))..]);
    }

    /// <summary>The header of the first frame.</summary>
    public ReadOnlySpan<byte> Header => _header;

    public Span<byte> Body => new(_body, _filled);

    /// <summary>Adds a segment; true when it was the last.</summary>
    /// <exception cref="FrameException">It does not go on where the one before ended.</exception>
    public bool Add(ReadOnlySpan<byte> frame)
    {
        var piece = frame[FrameHeader.Size..];
        var last = (frame[FrameHeader.FlagsOffset] & (byte)FrameFlags.Last) != 0;
        if (ResultFrame.Task(frame) != ResultFrame.Task(_header) || piece.Length > _bytes - _filled || last != (piece.Length == _bytes - _filled))
        {
            throw new FrameException(
                $"a segment of task {ResultFrame.Task(frame)} with {piece.Length} bytes{(last ? ", the last," : "")} where {_bytes - _filled} of task {ResultFrame.Task(_header)} are missing");
        }

        Append(piece);
        return last;
    }

    public void Free() => NativeMemory.Free(_body);

    private void Append(ReadOnlySpan<byte> piece)
    {
        piece.CopyTo(new Span<byte>(_body + _filled, piece.Length));
        _filled += piece.Length;
    }
}
