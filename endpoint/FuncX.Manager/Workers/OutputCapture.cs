using System.Runtime.InteropServices;
using System.Text;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Workers;

/// <summary>
/// Drains a pipe that user code writes to behind its worker's back (C code, subprocesses). Always read, so that nobody blocks; kept up to a
/// limit, beyond which bytes are only counted. One turn reads what a pipe holds by default and no more: a child that writes without pause would
/// otherwise hold up every other task of the node. What is left makes the descriptor ready in the next turn.
/// </summary>
internal sealed unsafe class OutputCapture : IPollHandler
{
    /// <summary>A pipe's capacity (pipe(7)): what a process wrote before it ended, or before its result, is all within the first so many bytes.</summary>
    private const int TurnBytes = 64 * 1024;
    private const int ReadBytes = 16 * 1024;

    /// <summary>How much of the end is known of what was cut.</summary>
    private const int LastBytes = 4096;

    private readonly Poller _poller;
    private readonly int _descriptor;
    private readonly long _limit;
    private readonly ulong _key;
    private readonly List<byte> _last = [];
    private byte[] _kept = [];
    private int _length;
    private long _cut;
    private bool _closed;

    public OutputCapture(Poller poller, int descriptor, long limit)
    {
        _poller = poller;
        _descriptor = descriptor;
        _limit = limit;
        _ = Libc.Fcntl(descriptor, Libc.F_SETFL, Libc.O_NONBLOCK);
        _key = poller.Add(descriptor, Libc.EPOLLIN, this, early: true);
    }

    /// <summary>True when there is something to attribute to a task.</summary>
    public bool Any => _length > 0 || _cut > 0;

    public void OnReady(uint events) => Drain();

    /// <summary>Reads what is there, at most a pipe full.</summary>
    public void Drain()
    {
        if (_closed)
            return;
        var buffer = stackalloc byte[ReadBytes];
        var left = TurnBytes;
        while (left > 0)
        {
            var count = Libc.Read(_descriptor, buffer, ReadBytes);
            if (count > 0)
            {
                Keep(new ReadOnlySpan<byte>(buffer, (int)count));
                if (count < ReadBytes)
                    return;
                left -= ReadBytes;
                continue;
            }

            if (count < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR)
                continue;
            if (count < 0 && Marshal.GetLastPInvokeError() == Libc.EAGAIN)
                return;
            Close();
            return;
        }
    }

    /// <summary>Takes what was kept, with a line that says how much was cut.</summary>
    /// <param name="before">Bytes of the same stream that the task has already; they count towards the limit.</param>
    public byte[] Take(long before = 0)
    {
        if (!Any)
            return [];
        var kept = (int)Math.Clamp(_limit - before, 0, _length);
        var cut = _cut + _length - kept;
        var marker = cut > 0 ? Encoding.UTF8.GetBytes($"\n[funcx: {cut} more bytes of output were cut; the limit is {_limit}]\n") : [];
        var taken = new byte[kept + marker.Length];
        _kept.AsSpan(0, kept).CopyTo(taken);
        marker.CopyTo(taken, kept);
        _length = 0;
        _cut = 0;
        _last.Clear();
        if (_kept.Length > 64 * 1024)
            _kept = [];
        return taken;
    }

    /// <summary>What was written last, as text, for a message.</summary>
    public string Tail(int most)
    {
        // Between what was kept and the end of what was cut there may be a gap; what goes across it was not written in one piece.
        ReadOnlySpan<byte> kept = _cut > _last.Count ? [] : _kept.AsSpan(0, _length);
        byte[] end = [.. kept[Math.Max(0, kept.Length - most)..], .. _last];
        return Encoding.UTF8.GetString(end, Math.Max(0, end.Length - most), Math.Min(most, end.Length)).Trim();
    }

    public void Close()
    {
        if (_closed)
            return;
        _closed = true;
        _poller.Remove(_descriptor, _key);
        _ = Libc.Close(_descriptor);
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        var room = (int)Math.Min(bytes.Length, Math.Max(0, _limit - _length));
        if (_length + room > _kept.Length)
            Array.Resize(ref _kept, (int)Math.Min(Math.Max(_limit, 1024), Math.Max(Math.Max(1024, _kept.Length * 2), _length + room)));
        bytes[..room].CopyTo(_kept.AsSpan(_length));
        _length += room;
        if (room == bytes.Length)
            return;
        _cut += bytes.Length - room;
        var cut = bytes[Math.Max(room, bytes.Length - LastBytes)..];
        _last.RemoveRange(0, Math.Clamp(_last.Count + cut.Length - LastBytes, 0, _last.Count));
        _last.AddRange(cut);
    }
}
