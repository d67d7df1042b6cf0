using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Service.Storage;

/// <summary>
/// Append-only files for bodies above <see cref="LargeBody"/>: rows of that size in SQLite stall every other commit. A body is durable
/// (<see cref="Sync"/>) before the commit that refers to it, so whatever a crash leaves behind a file's last reference is never read. Safe for any thread.
/// </summary>
public sealed partial class SegmentFiles : IDisposable
{
    /// <summary>Bodies above this many bytes go here.</summary>
    public const int LargeBody = 64 * 1024;

    private const long FileBytes = 256L << 20;

    private const int KeepSize = 1;
    private const int PunchHole = 2;

    private readonly string _directory;
    private readonly object _appending = new();
    private readonly object _syncing = new();
    private readonly Dictionary<int, SafeFileHandle> _reading = [];
    private SafeFileHandle? _file;
    private int _number;
    private long _length;
    private int _syncedFile;
    private long _syncedLength;

    public SegmentFiles(string directory)
    {
        _directory = directory;
        Directory.CreateDirectory(directory);
        foreach (var path in Directory.EnumerateFiles(directory, "*.seg"))
        {
            if (int.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var number))
                _number = Math.Max(_number, number);
        }
    }

    /// <summary>Appends a body; it is not durable before <see cref="Sync"/>.</summary>
    /// <exception cref="StorageFullException">The disk refused it.</exception>
    public SegmentReference Append(ReadOnlySpan<byte> body)
    {
        var digest = XxHash3.HashToUInt64(body);
        lock (_appending)
        {
            try
            {
                if (_file is null || _length >= FileBytes)
                    Roll();
                var reference = new SegmentReference(_number, _length, digest);
                RandomAccess.Write(_file!, body, _length);
                _length += body.Length;
                return reference;
            }
            catch (IOException problem)
            {
                throw new StorageFullException($"{_directory} took no body of {body.Length} bytes: {problem.Message}", problem);
            }
        }
    }

    /// <summary>Returns when everything appended up to now is on the disk. Callers that come together share one fdatasync.</summary>
    public void Sync(SegmentReference last)
    {
        lock (_syncing)
        {
            if (last.File < _syncedFile || (last.File == _syncedFile && last.Offset < _syncedLength))
                return;
            SafeFileHandle file;
            int number;
            long length;
            lock (_appending)
                (file, number, length) = (_file!, _number, _length);
            // A file is flushed when the next one begins.
            if (number != last.File)
                return;
            try
            {
                RandomAccess.FlushToDisk(file);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (IOException problem)
            {
                throw new StorageFullException($"{_directory} did not make a body durable: {problem.Message}", problem);
            }

            (_syncedFile, _syncedLength) = (number, length);
        }
    }

    /// <summary>Reads a body and checks it.</summary>
    /// <exception cref="ChunkException">It is missing or not what was written.</exception>
    public void Read(SegmentReference reference, Span<byte> body)
    {
        var taken = 0;
        try
        {
            var file = OpenForReading(reference.File);
            while (taken < body.Length)
            {
                var count = RandomAccess.Read(file, body[taken..], reference.Offset + taken);
                if (count == 0)
                    break;
                taken += count;
            }
        }
        catch (FileNotFoundException)
        {
            throw new ChunkException($"{PathOf(reference.File)} is gone; a body of {body.Length} bytes at {reference.Offset} was in it");
        }

        if (taken < body.Length)
            throw new ChunkException($"{PathOf(reference.File)} ends {body.Length - taken} bytes before the body at {reference.Offset} of {body.Length} bytes does");
        if (XxHash3.HashToUInt64(body) != reference.Digest)
            throw new ChunkException($"{PathOf(reference.File)}: the body at {reference.Offset} of {body.Length} bytes does not match its digest");
    }

    /// <summary>
    /// Gives the space of a body that nothing durable refers to back to the file system. One that cannot make holes in files keeps it until the
    /// whole file expires.
    /// </summary>
    public void GiveBack(SegmentReference reference, int bytes)
    {
        try
        {
            using var file = File.OpenHandle(PathOf(reference.File), FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            _ = Allocate(file, KeepSize | PunchHole, reference.Offset, bytes);
        }
        catch (IOException)
        {
            // Expired with its file, or the disk fails: the next commit tells.
        }
    }

    /// <summary>Deletes files that were last written before <paramref name="cutoff"/>, except those in use.</summary>
    public int Prune(DateTime cutoff, IReadOnlySet<int> inUse)
    {
        var deleted = 0;
        foreach (var path in Directory.EnumerateFiles(_directory, "*.seg"))
        {
            if (!int.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var number)
                || inUse.Contains(number) || File.GetLastWriteTimeUtc(path) >= cutoff)
                continue;
            lock (_appending)
            {
                if (number == _number && _file is not null)
                    continue;
                if (_reading.Remove(number, out var handle))
                    handle.Dispose();
            }

            File.Delete(path);
            deleted++;
        }

        return deleted;
    }

    public void Dispose()
    {
        lock (_appending)
        {
            _file?.Dispose();
            _file = null;
            foreach (var handle in _reading.Values)
                handle.Dispose();
            _reading.Clear();
        }
    }

    private string PathOf(int number) => Path.Combine(_directory, number.ToString("x8", CultureInfo.InvariantCulture) + ".seg");

    private void Roll()
    {
        if (_file is not null)
        {
            RandomAccess.FlushToDisk(_file);
            _file.Dispose();
            _file = null;
        }

        _number++;
        _length = 0;
        _file = File.OpenHandle(PathOf(_number), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        DirectorySync.Flush(_directory);
    }

    private SafeFileHandle OpenForReading(int number)
    {
        lock (_appending)
        {
            if (!_reading.TryGetValue(number, out var handle))
            {
                handle = File.OpenHandle(PathOf(number), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                _reading.Add(number, handle);
            }

            return handle;
        }
    }

    [LibraryImport("libc", EntryPoint = "fallocate")]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long bytes);
}
