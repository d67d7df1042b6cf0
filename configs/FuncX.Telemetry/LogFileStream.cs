using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using FuncX.Configuration;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Telemetry;

/// <summary>
/// A process's log file, and with it the process's standard output and error: what the runtime says of a process that dies stands where its log ends, as no library for logs
/// has it. A file that the next line would make larger than allowed becomes <c>NAME.1</c>, that one <c>NAME.2</c>, and the oldest goes. Lines stay whole. Safe for any thread.
/// </summary>
public sealed partial class LogFileStream : Stream
{
    private const int AppendToNew = 0x1 | 0x40 | 0x400 | 0x80000; // O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
    private const int OwnerOnly = 0b110_000_000;
    private const byte LineEnd = (byte)'\n';

    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly long _size;
    private readonly int _files;
    private SafeFileHandle _file;
    private bool _ownsOutput;
    private bool _inLine;
    private long _unwritten;
    private string _problem = "";

    /// <exception cref="IOException">The file cannot be opened.</exception>
    public LogFileStream(string path, LogsConfiguration configuration)
    {
        _path = path;
        _size = configuration.Size;
        _files = configuration.Files;
        _file = OpenFile();
        foreach (var (file, number) in Older(path))
        {
            if (number >= _files)
                File.Delete(file);
        }
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The files that a log became, with their numbers, the newest first. Others may be there for a moment only.</summary>
    public static IEnumerable<(string File, int Number)> Older(string path)
    {
        var name = Path.GetFileName(path) + ".";
        return Directory.EnumerateFiles(Path.GetDirectoryName(path)!)
            .Where(file => Path.GetFileName(file.AsSpan()).StartsWith(name, StringComparison.Ordinal))
            .Select(file => (File: file, Number: int.TryParse(Path.GetFileName(file).AsSpan(name.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0))
            .Where(static older => older.Number > 0)
            .OrderBy(static older => older.Number);
    }

    /// <summary>From here on the process's standard output and error go to the log, whoever writes to them. Before any logger is made.</summary>
    public void TakeOutput()
    {
        lock (_gate)
        {
            _ownsOutput = true;
            PointOutput();
        }

        var writer = new StreamWriter(this, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
        Console.SetOut(writer);
        Console.SetError(writer);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.IsEmpty)
            return;
        lock (_gate)
        {
            try
            {
                if (!_inLine)
                    MakeRoom(buffer.Length);
                if (_unwritten > 0)
                    Append(Encoding.UTF8.GetBytes($"{_unwritten} bytes of the log are missing here: {_problem}\n"));
                Append(buffer);
                _unwritten = 0;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // A full disk stops the log and nothing else; it goes on by itself and says what is missing.
                _unwritten += buffer.Length;
                _problem = problem.Message;
            }

            _inLine = buffer[^1] != LineEnd;
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Every write is the file's at once.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        base.Dispose(disposing);
    }

    // The file was opened to append: the system puts each write at its end, wherever this says.
    private void Append(ReadOnlySpan<byte> bytes) => RandomAccess.Write(_file, bytes, 0);

    private void MakeRoom(int bytes)
    {
        // Another process has begun the next file, the one that takes this one's place or that this one takes the place of; or a person moved it away.
        if (!FileModes.IsAt(_file, _path))
            Take(OpenFile());
        if (RandomAccess.GetLength(_file) is > 0 and var length && length + bytes > _size)
            Rotate();
    }

    private void Rotate()
    {
        if (_files == 1)
            File.Delete(_path);
        for (var number = _files - 1; number > 0; number--)
        {
            var from = number == 1 ? _path : Numbered(number - 1);
            if (File.Exists(from))
                File.Move(from, Numbered(number), overwrite: true);
        }

        Take(OpenFile());
    }

    private void Take(SafeFileHandle file)
    {
        _file.Dispose();
        _file = file;
        if (_ownsOutput)
            PointOutput();
    }

    private string Numbered(int number) => string.Create(CultureInfo.InvariantCulture, $"{_path}.{number}");

    private SafeFileHandle OpenFile()
    {
        var file = Open(_path, AppendToNew, OwnerOnly);
        if (file.IsInvalid)
            throw new IOException($"the log {_path} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}");
        File.SetUnixFileMode(file, FileModes.PrivateFile);
        return file;
    }

    private void PointOutput()
    {
        for (var output = 1; output <= 2; output++)
        {
            if (Duplicate(_file, output) < 0)
                throw new IOException($"standard output cannot go to {_path}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(SafeFileHandle file, int output);
}
