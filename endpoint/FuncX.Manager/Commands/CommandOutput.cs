using System.Runtime.InteropServices;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Commands;

/// <summary>Both output streams of a command: read and bounded, or whole in files that stay.</summary>
internal sealed class CommandOutput(TaskDirectory directory, long limit) : IDisposable
{
    public OutputStream Stdout { get; } = new(directory.Kept is null ? null : Path.Combine(directory.Kept, "stdout"), limit);

    public OutputStream Stderr { get; } = new(directory.Kept is null ? null : Path.Combine(directory.Kept, "stderr"), limit);

    public void Dispose()
    {
        Stdout.Dispose();
        Stderr.Dispose();
    }
}

/// <summary>One stream: the read end of a pipe, or a file.</summary>
internal sealed unsafe class OutputStream : IDisposable
{
    private const int ReadBytes = 64 * 1024;

    private readonly long _limit;
    private readonly MemoryStream _bytes = new();
    private readonly byte[] _buffer = new byte[ReadBytes];
    private int _child = -1;

    public OutputStream(string? file, long limit)
    {
        _limit = limit;
        File = file;
        if (file is not null)
        {
            using var created = new FileStream(file, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            _child = Libc.Open(file, Libc.O_RDWR | Libc.O_CLOEXEC | Libc.O_APPEND);
            if (_child < 0)
                throw new IOException($"{file} cannot be opened: {Libc.LastError()}");
            return;
        }

        var pipe = stackalloc int[2];
        if (Libc.Pipe2(pipe, Libc.O_CLOEXEC) < 0)
            throw new IOException($"pipe2 failed: {Libc.LastError()}");
        (Descriptor, _child) = (pipe[0], pipe[1]);
        _ = Libc.Fcntl(Descriptor, Libc.F_SETFL, Libc.O_NONBLOCK);
    }

    /// <summary>The end to read from; -1 once it is at its end, and for a file.</summary>
    public int Descriptor { get; private set; } = -1;

    /// <summary>The child's end.</summary>
    public int Child => _child;

    public string? File { get; }

    /// <summary>Bytes that the command wrote.</summary>
    public long Total { get; private set; }

    /// <summary>Bytes that are kept of them.</summary>
    public byte[] Take() => _bytes.ToArray();

    public void CloseChild()
    {
        if (_child >= 0)
            _ = Libc.Close(_child);
        _child = -1;
    }

    /// <summary>Reads what is there, at most so much that other streams get their turn.</summary>
    public void Drain()
    {
        for (var rounds = 0; rounds < 16 && Descriptor >= 0; rounds++)
        {
            nint count;
            fixed (byte* bytes = _buffer)
                count = Libc.Read(Descriptor, bytes, ReadBytes);
            if (count < 0 && Marshal.GetLastPInvokeError() is Libc.EAGAIN or Libc.EINTR)
                return;
            if (count <= 0)
            {
                _ = Libc.Close(Descriptor);
                Descriptor = -1;
                return;
            }

            Total += count;
            _bytes.Write(_buffer, 0, (int)Math.Clamp(_limit - _bytes.Length, 0, count));
        }
    }

    /// <summary>For a file: reads its beginning.</summary>
    public void Finish()
    {
        Drain();
        if (File is null)
            return;
        using var file = new FileStream(File, FileMode.Open, FileAccess.Read);
        Total = file.Length;
        var kept = new byte[Math.Min(_limit, file.Length)];
        _bytes.Write(kept, 0, file.ReadAtLeast(kept, kept.Length, throwOnEndOfStream: false));
    }

    public void Dispose()
    {
        CloseChild();
        if (Descriptor >= 0)
            _ = Libc.Close(Descriptor);
        Descriptor = -1;
        _bytes.Dispose();
    }
}
