using System.IO.Hashing;

namespace FuncX.Service.Storage;

/// <summary>Reads a large body from its beginning in pieces, and checks it once all of it was read: what came before is not to be trusted until then. One caller at a time.</summary>
public sealed class BodyReader(SegmentFiles files, SegmentReference reference, long bytes)
{
    private readonly XxHash3 _digest = new();

    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    public long Left => bytes - Position;

    /// <summary>Fills <paramref name="piece"/> as far as the body goes.</summary>
    /// <returns>How much of it.</returns>
    /// <exception cref="ChunkException">The body is missing or not what was written.</exception>
    public int Read(Span<byte> piece)
    {
        piece = piece[..(int)Math.Min(piece.Length, Left)];
        files.ReadExactly(reference, Position, bytes, piece);
        _digest.Append(piece);
        Position += piece.Length;
        if (Left == 0 && _digest.GetCurrentHashAsUInt64() != reference.Digest)
            throw files.Damaged(reference, bytes);
        return piece.Length;
    }
}
