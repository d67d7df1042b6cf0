using System.Buffers.Binary;
using FuncX.Manager.Link;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>
/// A result that came in segments: it goes up, cut anew, only when all of it is there, so a worker's death leaves no half. Its body is put at once where it will lie in the frames that
/// go up, since copying it when it is complete would hold up the node's other tasks for as long as that takes.
/// </summary>
internal sealed class JoinedResult
{
    private readonly byte[] _header = new byte[FrameHeader.Size];
    private SendBatch? _frames;
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
        Bytes = (int)whole;
        _frames = ResultOutbox.LargeBatch(FrameWriter.SegmentedBytes(Bytes));
        _ = _frames.Append(FrameWriter.SegmentedBytes(Bytes));
        BinaryPrimitives.WriteInt64LittleEndian(_frames.GetSpan()[FrameHeader.Size..], Bytes);
        Append(first[(FrameHeader.Size + sizeof(long))..]);
    }

    /// <summary>The header of the first frame.</summary>
    public ReadOnlySpan<byte> Header => _header;

    /// <summary>Bytes of the whole body.</summary>
    public int Bytes { get; }

    /// <summary>The beginning of the body.</summary>
    public Span<byte> Prefix => _frames!.GetSpan().Slice(FrameHeader.Size + sizeof(long), ResultPrefix.Size);

    /// <summary>Adds a segment; true when it was the last.</summary>
    /// <exception cref="FrameException">It does not go on where the one before ended.</exception>
    public bool Add(ReadOnlySpan<byte> frame)
    {
        var piece = frame[FrameHeader.Size..];
        var last = (frame[FrameHeader.FlagsOffset] & (byte)FrameFlags.Last) != 0;
        if (ResultFrame.Task(frame) != ResultFrame.Task(_header) || piece.Length > Bytes - _filled || last != (piece.Length == Bytes - _filled))
        {
            throw new FrameException(
                $"a segment of task {ResultFrame.Task(frame)} with {piece.Length} bytes{(last ? ", the last," : "")} where {Bytes - _filled} of task {ResultFrame.Task(_header)} are missing");
        }

        Append(piece);
        return last;
    }

    /// <summary>A copy of the body as far as it has come.</summary>
    public byte[] Copy()
    {
        var body = new byte[_filled];
        for (var done = 0; done < body.Length;)
        {
            var piece = Place(done);
            piece = piece[..Math.Min(piece.Length, body.Length - done)];
            piece.CopyTo(body.AsSpan(done));
            done += piece.Length;
        }

        return body;
    }

    /// <summary>The frames, with this header; the caller's from now on.</summary>
    public SendBatch TakeFrames(in FrameHeader header)
    {
        var frames = _frames!;
        _frames = null;
        FrameWriter.WriteSegmentedHeaders(frames.GetSpan()[..frames.Length], header);
        return frames;
    }

    /// <summary>Gives the memory back, unless the frames were taken.</summary>
    public void Free()
    {
        _frames?.Free();
        _frames = null;
    }

    private void Append(ReadOnlySpan<byte> piece)
    {
        while (piece.Length > 0)
        {
            var place = Place(_filled);
            var fits = piece[..Math.Min(piece.Length, place.Length)];
            fits.CopyTo(place);
            piece = piece[fits.Length..];
            _filled += fits.Length;
        }
    }

    // Where a byte of the body lies, and what of its frame is behind it.
    private Span<byte> Place(int at)
    {
        var (frame, offset) = Math.DivRem(at + sizeof(long), FrameHeader.MaxBody);
        var length = Math.Min(FrameHeader.MaxBody - offset, Bytes - at);
        return _frames!.GetSpan().Slice((frame * FrameHeader.MaxFrame) + FrameHeader.Size + offset, length);
    }
}
