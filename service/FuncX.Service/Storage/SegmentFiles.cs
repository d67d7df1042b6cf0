using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using FuncX.Configuration;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Service.Storage;

/// <summary>
/// Append-only files for bodies above <see cref="LargeBody"/>: rows of that size in SQLite stall every other commit. A body is durable
/// (<see cref="SyncAsync"/>) before the commit that refers to it, so whatever a crash leaves behind a file's last reference is never read. A thread of
/// its own syncs: while the disk writes, the next bodies come in. Safe for any thread.
/// </summary>
public sealed partial class SegmentFiles : IDisposable
{
    /// <summary>Bodies above this many bytes go here.</summary>
    public const int LargeBody = 64 * 1024;

    private const int PageBytes = 4096;
    private const int PieceBytes = 1 << 20;
    private const int KeepSize = 1;
    private const int PunchHole = 2;

    private readonly string _directory;
    private readonly long _fileBytes;
    private readonly object _gate = new();
    private readonly Dictionary<int, SafeFileHandle> _reading = [];

    /// <summary>The file that grows, and those before it that are not wholly on the disk yet.</summary>
    private readonly List<Growing> _growing = [];

    /// <summary>Files that were not written to the disk as they should.</summary>
    private readonly Dictionary<int, StorageFullException> _failed = [];
    private readonly Thread _thread;
    private List<Waiter> _waiters = [];
    private int _number;
    private bool _disposed;

    /// <param name="directory">Where they lie; made if it is not there.</param>
    /// <param name="fileBytes">A file that has so much is followed by another.</param>
    public SegmentFiles(string directory, long fileBytes = 256L << 20)
    {
        _directory = directory;
        _fileBytes = fileBytes;
        Directory.CreateDirectory(directory);
        // What was begun before the last end of the service and has no reference.
        foreach (var path in Directory.EnumerateFiles(directory, "*.part"))
            File.Delete(path);
        foreach (var path in Directory.EnumerateFiles(directory, "*.seg"))
        {
            if (int.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var number))
                _number = Math.Max(_number, number);
        }

        _thread = new Thread(SyncAsAsked) { IsBackground = true, Name = "segment sync" };
        _thread.Start();
    }

    /// <summary>Appends a body; it is not durable before <see cref="SyncAsync"/>.</summary>
    /// <param name="body">Its bytes.</param>
    /// <param name="isKept">Whoever appends it has it in memory for those who want it soon: the system need not.</param>
    /// <exception cref="StorageFullException">The disk refused it.</exception>
    public SegmentReference Append(ReadOnlySpan<byte> body, bool isKept = false)
    {
        var digest = XxHash3.HashToUInt64(body);
        lock (_gate)
        {
            try
            {
                var file = _growing.LastOrDefault();
                if (file is null || file.Length >= _fileBytes)
                    _growing.Add(file = Create());
                var reference = new SegmentReference(file.Number, file.Length, digest);
                RandomAccess.Write(file.Handle, body, file.Length);
                file.Length += body.Length;
                if (isKept)
                    file.Keep(reference.Offset);
                return reference;
            }
            catch (IOException problem)
            {
                throw new StorageFullException($"{_directory} took no body of {body.Length} bytes: {problem.Message}", problem);
            }
        }
    }

    /// <summary>Begins a body that comes in pieces and is too large for memory.</summary>
    /// <exception cref="StorageFullException">The disk refused it.</exception>
    public BodyWriter Begin()
    {
        int number;
        lock (_gate)
            number = ++_number;
        try
        {
            return new BodyWriter(this, number, Path.ChangeExtension(PathOf(number), ".part"));
        }
        catch (IOException problem)
        {
            throw new StorageFullException($"{_directory} took no further file: {problem.Message}", problem);
        }
    }

    /// <summary>Completes when what was appended from the first to the last of these is on the disk. Callers that come together share one fdatasync.</summary>
    /// <exception cref="StorageFullException">The disk did not write all of it.</exception>
    public Task SyncAsync(SegmentReference first, SegmentReference last)
    {
        var waiter = new Waiter(first.File, last.File);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _waiters.Add(waiter);
            Monitor.Pulse(_gate);
        }

        return waiter.Synced.Task;
    }

    /// <summary>False once the file of that number has expired, or is lost.</summary>
    public bool Has(int file) => File.Exists(PathOf(file));

    /// <summary>Reads a body and checks it.</summary>
    /// <exception cref="ChunkException">It is missing or not what was written.</exception>
    public void Read(SegmentReference reference, Span<byte> body)
    {
        ReadExactly(reference, 0, body.Length, body);
        if (XxHash3.HashToUInt64(body) != reference.Digest)
            throw Damaged(reference, body.Length);
    }

    /// <summary>Reads a body's end, from an offset on, and checks all of it; its beginning is not kept.</summary>
    /// <returns>How much that is.</returns>
    /// <exception cref="ChunkException">It is missing or not what was written.</exception>
    public int ReadEnd(SegmentReference reference, long bytes, long from, Span<byte> end)
    {
        var reader = new BodyReader(this, reference, bytes);
        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            while (reader.Position < from)
                reader.Read(piece.AsSpan(0, (int)Math.Min(PieceBytes, from - reader.Position)));
            return reader.Read(end[..(int)reader.Left]);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    /// <summary>Reads a piece of a body of <paramref name="bytes"/> bytes, unchecked.</summary>
    internal void ReadExactly(SegmentReference reference, long from, long bytes, Span<byte> piece)
    {
        var taken = 0;
        try
        {
            // Many bodies are the only one of their file: a handle kept for each would use up what the process may have.
            using var own = reference.Offset == 0 ? File.OpenHandle(PathOf(reference.File), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete) : null;
            var file = own ?? OpenForReading(reference.File);
            while (taken < piece.Length)
            {
                var count = RandomAccess.Read(file, piece[taken..], reference.Offset + from + taken);
                if (count == 0)
                    break;
                taken += count;
            }
        }
        catch (FileNotFoundException)
        {
            throw new ChunkException($"{PathOf(reference.File)} is gone; a body of {bytes} bytes at {reference.Offset} was in it");
        }

        if (taken < piece.Length)
            throw new ChunkException($"{PathOf(reference.File)} ends {bytes - from - taken} bytes before the body at {reference.Offset} of {bytes} bytes does");
    }

    internal ChunkException Damaged(SegmentReference reference, long bytes) =>
        new($"{PathOf(reference.File)}: the body at {reference.Offset} of {bytes} bytes does not match its digest");

    /// <summary>Makes what a <see cref="BodyWriter"/> has written a segment file, durably.</summary>
    internal void Adopt(string path, int number)
    {
        File.Move(path, PathOf(number));
        DiskSync.FlushDirectory(_directory);
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
            lock (_gate)
            {
                if (_growing.Exists(file => file.Number == number))
                    continue;
                if (_reading.Remove(number, out var handle))
                    handle.Dispose();
            }

            File.Delete(path);
            deleted++;
        }

        return deleted;
    }

    /// <summary>Ends when what is waited for is on the disk.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            Monitor.Pulse(_gate);
        }

        _thread.Join();
        lock (_gate)
        {
            _growing.ForEach(static file => file.Handle.Dispose());
            _growing.Clear();
            foreach (var handle in _reading.Values)
                handle.Dispose();
            _reading.Clear();
        }
    }

    private string PathOf(int number) => Path.Combine(_directory, number.ToString("x8", CultureInfo.InvariantCulture) + ".seg");

    private Growing Create()
    {
        var handle = File.OpenHandle(PathOf(++_number), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            DiskSync.FlushDirectory(_directory);
            return new Growing(_number, handle);
        }
        catch (IOException)
        {
            // Each attempt would leave an empty one.
            handle.Dispose();
            File.Delete(PathOf(_number));
            throw;
        }
    }

    private void SyncAsAsked()
    {
        List<Waiter> waiters = [];
        List<(Growing File, long Length)> files = [];
        while (Take(ref waiters, files))
        {
            foreach (var (file, length) in files)
            {
                try
                {
                    DiskSync.Flush(file.Handle, PathOf(file.Number));
                    file.Synced = length;
                    ForgetKept(file, length);
                }
                catch (IOException problem)
                {
                    // The system may have forgotten what it could not write, and the next call would succeed: nothing more is trusted to this file.
                    lock (_gate)
                        _failed[file.Number] = new StorageFullException(problem.Message, problem);
                }
            }

            lock (_gate)
                Close();
            foreach (var waiter in waiters)
                Answer(waiter);
        }
    }

    // Their memory is used for the next ones: a page that the system takes anew for each costs a virtual machine several times the copy.
    private void ForgetKept(Growing file, long synced)
    {
        while (true)
        {
            (long From, long To) kept;
            lock (_gate)
            {
                if (!file.Kept.TryPeek(out kept) || kept.To > synced)
                    return;
                file.Kept.Dequeue();
            }

            DiskSync.Forget(file.Handle, kept.From, kept.To - kept.From);
        }
    }

    /// <summary>Waits until somebody asks; gives all who did, and what to sync for them. False: the end.</summary>
    private bool Take(ref List<Waiter> waiters, List<(Growing File, long Length)> files)
    {
        waiters.Clear();
        files.Clear();
        lock (_gate)
        {
            while (_waiters.Count == 0 && !_disposed)
                Monitor.Wait(_gate);
            (waiters, _waiters) = (_waiters, waiters);
            files.AddRange(_growing.Where(static file => file.Synced < file.Length).Select(static file => (file, file.Length)));
            return waiters.Count > 0;
        }
    }

    /// <summary>Closes files that take no more.</summary>
    private void Close()
    {
        for (var index = _growing.Count - 1; index >= 0; index--)
        {
            var file = _growing[index];
            if (!_failed.ContainsKey(file.Number) && (file.Synced < file.Length || index == _growing.Count - 1))
                continue;
            file.Handle.Dispose();
            _growing.RemoveAt(index);
        }
    }

    private void Answer(Waiter waiter)
    {
        StorageFullException? failed = null;
        for (var number = waiter.First; number <= waiter.Last && failed is null; number++)
            _failed.TryGetValue(number, out failed);
        if (failed is null)
            waiter.Synced.SetResult();
        else
            waiter.Synced.SetException(failed);
    }

    private SafeFileHandle OpenForReading(int number)
    {
        lock (_gate)
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

    private sealed class Growing(int number, SafeFileHandle handle)
    {
        public int Number { get; } = number;

        public SafeFileHandle Handle { get; } = handle;

        public long Length { get; set; }

        /// <summary>Where bodies lie that their writers keep in memory, whole pages of them.</summary>
        public Queue<(long From, long To)> Kept { get; } = new();

        /// <summary>How much of it is on the disk. Belongs to the thread that syncs.</summary>
        public long Synced { get; set; }

        /// <summary>What was appended last, from there on, is kept.</summary>
        public void Keep(long from)
        {
            // A page that two bodies share goes with the second.
            Kept.Enqueue((from / PageBytes * PageBytes, Length / PageBytes * PageBytes));
        }
    }

    private sealed class Waiter(int first, int last)
    {
        public int First { get; } = first;

        public int Last { get; } = last;

        public TaskCompletionSource Synced { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
