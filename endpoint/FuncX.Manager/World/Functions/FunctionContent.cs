using System.Security.Cryptography;
using FuncX.Manager.Pools;

namespace FuncX.Manager.World.Functions;

/// <summary>A function's body as far as it has come, in the pieces that it travels in. Whoever has it drops it; one thread at a time.</summary>
internal sealed class FunctionContent(long bytes)
{
    public const int PieceBytes = (256 << 10) - FunctionPrefix.Size;

    private readonly List<FunctionPiece> _pieces = [];
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public long Bytes => bytes;

    /// <summary>Bytes from its beginning that are there.</summary>
    public long Received { get; private set; }

    /// <summary>What they take of memory.</summary>
    public long Capacity { get; private set; }

    public bool IsWhole => Received == bytes;

    /// <summary>Of the next piece: all but the last are full.</summary>
    public int NextBytes => (int)Math.Min(PieceBytes, bytes - Received);

    public IReadOnlyList<FunctionPiece> Pieces => _pieces;

    public void Add(FunctionPiece piece)
    {
        _hash.AppendData(piece.Body);
        _pieces.Add(piece);
        Received += piece.Body.Length;
        Capacity += piece.Capacity;
    }

    /// <summary>The digest of the whole; once.</summary>
    public FunctionDigest Seal()
    {
        var digest = FunctionDigest.Of(_hash);
        _hash.Dispose();
        return digest;
    }

    /// <summary>The piece that begins at an offset.</summary>
    public FunctionPiece At(long offset) => _pieces[(int)(offset / PieceBytes)];

    public byte[] ToArray()
    {
        var body = new byte[Received];
        var at = 0;
        foreach (var piece in _pieces)
        {
            piece.Body.CopyTo(body.AsSpan(at));
            at += piece.Body.Length;
        }

        return body;
    }

    public void Drop()
    {
        foreach (var piece in _pieces)
            piece.Dispose();
        _pieces.Clear();
        _hash.Dispose();
    }
}
