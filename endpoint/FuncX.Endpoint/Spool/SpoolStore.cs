using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using FuncX.Configuration;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.ServiceLink;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Endpoint.Spool;

/// <summary>
/// Results on disk while the service is away: append-only files in the identity's directory below state_dir/spool (0700, files 0600), 64 MiB each. What <see cref="Append"/> returned from is
/// durable. One thread appends; reading is of complete files only. The whole never grows above its limit.
/// </summary>
internal sealed partial class SpoolStore : IDisposable
{
    private const long FileBytes = 64 << 20;

    private readonly string _directory;
    private readonly long _limit;
    private readonly Lock _gate = new();
    private readonly List<SpoolFile> _complete = [];
    private SafeFileHandle? _current;
    private string _currentPath = "";
    private long _currentBytes;
    private long _number;
    private long _bytes;

    public SpoolStore(EndpointConfiguration configuration, EndpointIdentity identity)
        : this(SpoolDirectory.Of(configuration.StateDirectory, identity), configuration.Limits.Spool)
    {
        OfOthers = SpoolDirectory.OfOthers(configuration.StateDirectory, identity);
    }

    /// <param name="directory">Made when there is something to write.</param>
    /// <param name="limit">Most bytes of all files.</param>
    public SpoolStore(string directory, long limit)
    {
        _directory = directory;
        _limit = limit;
        if (!Directory.Exists(directory))
            return;
        foreach (var path in Directory.GetFiles(directory, "*.spool").Order(StringComparer.Ordinal))
        {
            _complete.Add(new SpoolFile(path, new FileInfo(path).Length));
            if (long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                _number = Math.Max(_number, number);
        }

        _bytes = _complete.Sum(file => file.Bytes);
    }

    /// <summary>Directories with results of other identities, as found at the start: they are left alone.</summary>
    public IReadOnlyList<string> OfOthers { get; } = [];

    /// <summary>Bytes of all files.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Writes messages and makes them durable, as many as there is room for.</summary>
    /// <param name="messages">In the order in which they are to be kept.</param>
    /// <param name="problem">Why not all of them; null when they are.</param>
    /// <returns>How many of them, from the first, are durable; nothing of the others is kept.</returns>
    public int Append(IReadOnlyList<HeldMessage> messages, out string? problem)
    {
        problem = null;
        var room = _limit - Bytes;
        var fit = 0;
        while (fit < messages.Count && room >= SpoolRecord.HeaderSize + messages[fit].Bytes)
            room -= SpoolRecord.HeaderSize + messages[fit++].Bytes;
        if (fit < messages.Count)
            problem = $"the spool {_directory} is full: {messages.Skip(fit).Sum(message => (long)message.Bytes)} bytes more are above limits.spool ({_limit})";
        if (fit == 0)
            return 0;
        try
        {
            return AppendFitting(_current ?? Open(), messages, fit, ref problem);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            problem = refused.Message;
            return 0;
        }
    }

    /// <summary>Closes the file that is appended to, so that it can be read. On the appending thread, or while nothing is appended.</summary>
    public void Complete()
    {
        if (_current is null)
            return;
        _current.Dispose();
        _current = null;
        lock (_gate)
            _complete.Add(new SpoolFile(_currentPath, _currentBytes));
    }

    /// <summary>The complete files, oldest first.</summary>
    public IReadOnlyList<SpoolFile> Files()
    {
        lock (_gate)
            return [.. _complete];
    }

    /// <summary>Everything in the file is committed at the service.</summary>
    public void Delete(SpoolFile file)
    {
        File.Delete(file.Path);
        Forget(file);
    }

    /// <summary>Puts a file aside that cannot be read to its end, for people to look at; it no longer counts.</summary>
    public void SetAside(SpoolFile file)
    {
        File.Move(file.Path, file.Path + ".damaged", overwrite: true);
        Forget(file);
    }

    public void Dispose() => _current?.Dispose();

    private void Forget(SpoolFile file)
    {
        lock (_gate)
            _complete.Remove(file);
        Interlocked.Add(ref _bytes, -file.Bytes);
    }

    private SafeFileHandle Open()
    {
        Directory.CreateDirectory(_directory, FileModes.PrivateDirectory);
        _currentPath = Path.Combine(_directory, (++_number).ToString("D12", CultureInfo.InvariantCulture) + ".spool");
        using (new FileStream(_currentPath, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
        }

        _current = File.OpenHandle(_currentPath, FileMode.Open, FileAccess.Write, FileShare.Read);
        _currentBytes = 0;
        FlushDirectory(_directory);
        return _current;
    }

    private void Write(SafeFileHandle handle, HeldMessage message)
    {
        var hash = new XxHash64();
        var parts = new List<ReadOnlyMemory<byte>>(message.Frames.Count + 1) { default };
        foreach (var frames in message.Frames)
        {
            hash.Append(frames.Span);
            parts.Add(frames.Memory);
        }

        var header = new byte[SpoolRecord.HeaderSize];
        SpoolRecord.WriteHeader(header, message.Bytes, message.Results, hash.GetCurrentHashAsUInt64());
        parts[0] = header;
        RandomAccess.Write(handle, parts, _currentBytes);
        _currentBytes += SpoolRecord.HeaderSize + message.Bytes;
    }

    private int AppendFitting(SafeFileHandle handle, IReadOnlyList<HeldMessage> messages, int fit, ref string? problem)
    {
        var start = _currentBytes;
        var written = 0;
        try
        {
            for (; written < fit; written++)
                Write(handle, messages[written]);
        }
        catch (IOException refused)
        {
            problem = refused.Message;
            CutBack(handle);
            if (written == 0)
                return 0;
        }

        try
        {
            RandomAccess.FlushToDisk(handle);
        }
        catch (IOException)
        {
            _currentBytes = start;
            CutBack(handle);
            throw;
        }

        Interlocked.Add(ref _bytes, _currentBytes - start);
        if (_currentBytes >= FileBytes)
            Complete();
        return written;
    }

    // A file whose end could not be written is cut back to what was promised; when even that fails the next append goes to a new one.
    private void CutBack(SafeFileHandle handle)
    {
        try
        {
            RandomAccess.SetLength(handle, _currentBytes);
        }
        catch (IOException)
        {
            Complete();
        }
    }

    // A new file is only durable when its directory's entry is.
    private static void FlushDirectory(string directory)
    {
        var descriptor = OpenDescriptor(directory, 0);
        if (descriptor < 0)
            throw new IOException($"{directory} cannot be opened to make it durable (errno {Marshal.GetLastPInvokeError()})");
        var result = Synchronize(descriptor);
        var error = Marshal.GetLastPInvokeError();
        _ = CloseDescriptor(descriptor);
        if (result != 0)
            throw new IOException($"fsync of {directory} failed (errno {error})");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenDescriptor(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronize(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int CloseDescriptor(int descriptor);
}
