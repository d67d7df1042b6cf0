using System.IO.Hashing;
using FuncX.Configuration;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Service.Storage;

/// <summary>
/// Writes one body that comes in pieces into a segment file of its own, so that it is never whole in memory. What it has of it goes to the disk meanwhile; what was begun
/// and not completed leaves nothing. One caller at a time.
/// </summary>
public sealed class BodyWriter : IDisposable
{
    private const long FlushBytes = 16L << 20;

    private readonly SegmentFiles _files;
    private readonly int _number;
    private readonly string _path;
    private readonly SafeFileHandle _handle;
    private readonly XxHash3 _digest = new();
    private Task _flushing = Task.CompletedTask;
    private long _unflushed;
    private bool _isComplete;

    internal BodyWriter(SegmentFiles files, int number, string path)
    {
        (_files, _number, _path) = (files, number, path);
        _handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete);
    }

    public long Length { get; private set; }

    /// <exception cref="StorageFullException">The disk refused it.</exception>
    public void Append(ReadOnlySpan<byte> piece)
    {
        try
        {
            RandomAccess.Write(_handle, piece, Length);
        }
        catch (IOException problem)
        {
            throw Full(problem);
        }

        _digest.Append(piece);
        Length += piece.Length;
        _unflushed += piece.Length;
        if (_unflushed < FlushBytes || !_flushing.IsCompletedSuccessfully)
            return;
        _unflushed = 0;
        _flushing = Task.Run(() => DiskSync.Flush(_handle, _path));
    }

    /// <summary>Makes the whole durable.</summary>
    /// <exception cref="StorageFullException">The disk did not write all of it.</exception>
    public async Task<SegmentReference> CompleteAsync()
    {
        try
        {
            // The system tells once that it could not write something: a failure of an earlier flush counts.
            await _flushing;
            await Task.Run(() =>
            {
                DiskSync.Flush(_handle, _path);
                _files.Adopt(_path, _number);
            });
        }
        catch (IOException problem)
        {
            throw Full(problem);
        }

        _isComplete = true;
        return new SegmentReference(_number, 0, _digest.GetCurrentHashAsUInt64());
    }

    public void Dispose()
    {
        // The flush has the handle.
        _ = _flushing.ContinueWith(_ => _handle.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        if (!_isComplete)
            File.Delete(_path);
    }

    private StorageFullException Full(IOException problem) => new($"{_path} took no body of {Length} bytes and more: {problem.Message}", problem);
}
