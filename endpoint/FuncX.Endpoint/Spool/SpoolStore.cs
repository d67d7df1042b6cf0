using System.Globalization;
using System.IO.Hashing;
using FuncX.Configuration;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.ServiceLink;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Endpoint.Spool;

/// <summary>
/// Results on disk while the service is away: append-only files in the identity's directory below state_dir/spool (0700, files 0600), 64 MiB each. What <see cref="Append"/> returned from is
/// durable. One thread appends; reading is of complete files only. The whole never grows above its limit. Another process of this endpoint, on another machine, may
/// still write what it holds when this one has taken its place: it begins a new file after <see cref="s_fileAge"/>, and what nobody has written to for
/// <see cref="s_quiet"/> is complete.
/// </summary>
internal sealed class SpoolStore : IDisposable
{
    private const long FileBytes = 64 << 20;
    private static readonly TimeSpan s_fileAge = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_quiet = TimeSpan.FromMinutes(1);

    private readonly string _directory;
    private readonly long _limit;
    private readonly string _host;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly List<SpoolFile> _complete = [];
    private readonly Dictionary<string, long> _others = new(StringComparer.Ordinal);
    private SafeFileHandle? _current;
    private string _currentPath = "";
    private long _currentBytes;
    private long _currentSince;
    private long _number;
    private long _bytes;

    public SpoolStore(EndpointConfiguration configuration, EndpointIdentity identity, TimeProvider time)
        : this(SpoolDirectory.Of(configuration.StateDirectory, identity), configuration.Limits.Spool, Environment.MachineName, time)
    {
        OfOthers = SpoolDirectory.OfOthers(configuration.StateDirectory, identity);
    }

    /// <param name="directory">Made when there is something to write.</param>
    /// <param name="limit">Most bytes of all files.</param>
    /// <param name="host">This machine, as part of the files' names.</param>
    /// <param name="time">For the age of files.</param>
    public SpoolStore(string directory, long limit, string host, TimeProvider time)
    {
        _directory = directory;
        _limit = limit;
        _host = new string([.. host.Select(letter => char.IsAsciiLetterOrDigit(letter) ? letter : '_')]);
        _time = time;
        Look(starting: true);
        foreach (var path in _complete.Select(static file => file.Path).Concat(_others.Keys))
            _number = Math.Max(_number, NumberOf(path));
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
        if (_current is not null && _time.GetElapsedTime(_currentSince) > s_fileAge)
            Complete();
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

    /// <summary>The complete files, oldest first; also those that another process has left meanwhile.</summary>
    public IReadOnlyList<SpoolFile> Files()
    {
        Look(starting: false);
        lock (_gate)
            return [.. _complete];
    }

    /// <summary>Files that another process may still write to, as of the last look.</summary>
    public IReadOnlyList<SpoolFile> StillWritten()
    {
        lock (_gate)
            return [.. _others.Select(static other => new SpoolFile(other.Key, other.Value))];
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

    private static long NumberOf(string path) =>
        long.TryParse(Path.GetFileName(path).Split('-', '.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private void Look(bool starting)
    {
        if (!Directory.Exists(_directory))
            return;
        lock (_gate)
        {
            foreach (var path in Directory.GetFiles(_directory, "*.spool").Order(StringComparer.Ordinal))
            {
                if (path == _currentPath || _complete.Exists(file => file.Path == path))
                    continue;
                var info = new FileInfo(path);
                if (!info.Exists)
                    continue;
                Interlocked.Add(ref _bytes, info.Length - _others.GetValueOrDefault(path));
                _others[path] = info.Length;
                // An earlier process on this machine is gone by now, or was asked to go and had its time.
                var isLeft = starting && Path.GetFileNameWithoutExtension(path).EndsWith($"-{_host}", StringComparison.Ordinal);
                if (!isLeft && _time.GetUtcNow().UtcDateTime - info.LastWriteTimeUtc < s_quiet)
                    continue;
                _others.Remove(path);
                _complete.Add(new SpoolFile(path, info.Length));
            }

            foreach (var (path, bytes) in _others.Where(static other => !File.Exists(other.Key)).ToArray())
            {
                _others.Remove(path);
                Interlocked.Add(ref _bytes, -bytes);
            }
        }
    }

    private SafeFileHandle Open()
    {
        Directory.CreateDirectory(_directory, FileModes.PrivateDirectory);
        lock (_gate)
        {
            do
                _currentPath = Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"{++_number:D12}-{_host}.spool"));
            while (File.Exists(_currentPath));
        }

        using (new FileStream(_currentPath, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
        }

        // A new file is only durable when its directory's entry is.
        try
        {
            DiskSync.FlushDirectory(_directory);
        }
        catch (IOException)
        {
            // Each attempt would leave an empty one.
            File.Delete(_currentPath);
            throw;
        }

        _current = File.OpenHandle(_currentPath, FileMode.Open, FileAccess.Write, FileShare.Read);
        _currentBytes = 0;
        _currentSince = _time.GetTimestamp();
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
            if (!CutBack(handle, _currentBytes, start) || written == 0)
                return 0;
        }

        try
        {
            DiskSync.Flush(handle, _currentPath);
        }
        catch (IOException)
        {
            // The system may have forgotten what it could not write, and the next call would succeed: nothing more is trusted to this file.
            if (CutBack(handle, start, start))
                Leave(start);
            throw;
        }

        if (!File.Exists(_currentPath))
        {
            // This process was held up for longer than a file is left to whoever began it.
            handle.Dispose();
            _current = null;
            Interlocked.Add(ref _bytes, -start);
            throw new IOException($"{_currentPath} was taken by another process of this endpoint");
        }

        Interlocked.Add(ref _bytes, _currentBytes - start);
        if (_currentBytes >= FileBytes)
            Complete();
        return written;
    }

    // A file whose end could not be written is cut back to what is whole; when even that fails the next append goes to a new one, and what was not promised yet is
    // written there once more.
    private bool CutBack(SafeFileHandle handle, long whole, long promised)
    {
        try
        {
            RandomAccess.SetLength(handle, whole);
            _currentBytes = whole;
            return true;
        }
        catch (IOException)
        {
            Leave(promised);
            return false;
        }
    }

    private void Leave(long promised)
    {
        _currentBytes = promised;
        if (promised > 0)
        {
            Complete();
            return;
        }

        // Each attempt would leave one in which nothing counts.
        _current?.Dispose();
        _current = null;
        File.Delete(_currentPath);
    }
}
