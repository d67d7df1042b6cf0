using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Manager.Staging;

/// <summary>A file on its way into the cache. Disposed without being completed, it is gone.</summary>
internal sealed class StageWriter : IDisposable
{
    private readonly StageCache _cache;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly SafeFileHandle _file;
    private bool _whole;

    public StageWriter(StageCache cache, string path)
    {
        _cache = cache;
        Path = path;
        File.Delete(path);
        _file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
    }

    /// <summary>Where it is until it is complete.</summary>
    public string Path { get; }

    public long Bytes { get; private set; }

    /// <exception cref="IOException">The disk takes no more.</exception>
    public void Append(ReadOnlySpan<byte> piece)
    {
        _hash.AppendData(piece);
        RandomAccess.Write(_file, piece, Bytes);
        Bytes += piece.Length;
    }

    /// <summary>The digest of what was appended.</summary>
    public string Digest() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    /// <summary>All is there: it gets its name.</summary>
    /// <param name="file">What it must be.</param>
    /// <param name="digest">What it is.</param>
    /// <exception cref="StageException">It is something else.</exception>
    public void Complete(StagedFile file, string digest)
    {
        if (digest != file.Digest || Bytes != file.Bytes)
        {
            throw new StageException($"{file.Name} came with {Bytes} bytes of digest {digest}; it should have {file.Bytes} of {file.Digest}. It was changed on its way, or where the leader of the world keeps it, and is asked for again; "
                + "if it stays so, look at the disk of the leader's node and have the block begin anew (funcx-endpoint scale 0, then scale auto)");
        }

        File.SetUnixFileMode(_file, file.IsProgram ? UnixFileMode.UserRead | UnixFileMode.UserExecute : UnixFileMode.UserRead);
        _file.Dispose();
        _cache.Take(this, file);
        _whole = true;
    }

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
        if (!_whole)
            File.Delete(Path);
    }
}
