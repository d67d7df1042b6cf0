using System.Buffers.Binary;
using FuncX.Manager.Interop;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>
/// The manager's side of a worker's result ring (layout in protocol/README.md). The other side is user code's process: every number read
/// from it is checked. Benchmark: throughput.
/// </summary>
internal sealed unsafe class ResultRing
{
    public const int HeaderBytes = 4096;
    private const int SeekEnd = 2;

    private readonly byte* _base;
    private readonly byte* _data;
    private readonly nuint _mapped;
    private readonly ulong _size;
    private ulong _read;
    private ulong _skipFrom;
    private ulong _skipTo;
    private ulong _skips;

    private ResultRing(byte* memory, nuint mapped)
    {
        _base = memory;
        _mapped = mapped;
        _data = memory + HeaderBytes;
        _size = mapped - HeaderBytes;
    }

    /// <summary>Tasks the worker has taken up since birth.</summary>
    public ulong Started => Volatile.Read(ref *(ulong*)(_base + 8));

    /// <summary>Tasks the worker has forgotten since birth because they were taken back.</summary>
    public ulong Forgotten => Volatile.Read(ref *(ulong*)(_base + 16));

    /// <summary>Maps the shared memory object of a descriptor.</summary>
    /// <exception cref="FrameException">It is not a ring.</exception>
    public static ResultRing Map(int descriptor)
    {
        // Were it shrunk, a read beyond its new end would end this process (SIGBUS). An interpreter without memfd_create takes a file of /dev/shm, which has no seals.
        _ = Libc.Fcntl(descriptor, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK);
        var bytes = Libc.Seek(descriptor, 0, SeekEnd);
        var size = bytes - HeaderBytes;
        if (size < 4096 || size > 1 << 30 || (size & (size - 1)) != 0)
            throw new FrameException($"result ring of {size} bytes: it must be a power of two from 4096 to 1 GiB");
        var memory = Libc.Mmap(null, (nuint)bytes, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, descriptor, 0);
        if ((nint)memory == -1)
            throw new InvalidOperationException($"mapping a result ring failed: {Libc.LastError()}");
        return new ResultRing((byte*)memory, (nuint)bytes);
    }

    /// <summary>The next frame, if there is one. It stays in place until <see cref="Release"/>.</summary>
    /// <exception cref="FrameException">The ring holds what no worker writes.</exception>
    public bool TryRead(out ReadOnlySpan<byte> frame)
    {
        frame = default;
        while (true)
        {
            var written = Volatile.Read(ref *(ulong*)_base);
            if (written == _read)
                return false;
            var available = written - _read;
            if (available > _size)
                throw new FrameException($"result ring: {written} bytes written and {_read} read, but it holds {_size}");
            var at = _read & (_size - 1);
            var toEnd = _size - at;
            var length = toEnd < sizeof(uint) ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(new ReadOnlySpan<byte>(_data + at, sizeof(uint)));
            if (length == 0)
            {
                // A frame always fits at the start; without this a worker could have it walked round for ever.
                if (toEnd > available || at == 0)
                    throw new FrameException("result ring: it wraps where nothing was written");
                _read += toEnd;
                continue;
            }

            if (length < FrameHeader.Size || length > _size / 4 || length > toEnd || length > available || length > FrameHeader.MaxFrame)
                throw new FrameException($"result ring: a frame of {length} bytes");
            frame = new ReadOnlySpan<byte>(_data + at, (int)length);
            return true;
        }
    }

    /// <summary>The frame just read has been copied.</summary>
    public void Advance(int length) => _read += (ulong)length;

    /// <summary>Lets the worker use the space again.</summary>
    public void Release() => Volatile.Write(ref *(ulong*)(_base + 64), _read);

    /// <summary>
    /// Makes the worker forget the tasks below <paramref name="to"/> that it has not taken up. The range is written where none holds, and then it is said to
    /// hold: a worker never compares with half of two ranges.
    /// </summary>
    /// <returns>How many tasks the worker had taken up before.</returns>
    public ulong Skip(ulong to)
    {
        var started = Started;
        if (started >= to)
            return started;

        // The task it took up last it may be comparing just now: what the range before had it forget, this one must too.
        if (started > _skipTo)
            _skipFrom = started;
        _skipTo = to;
        var range = (ulong*)(_base + 144) + (++_skips % 2 * 2);
        Volatile.Write(ref range[0], _skipFrom);
        Volatile.Write(ref range[1], _skipTo);
        Volatile.Write(ref *(ulong*)(_base + 136), _skips);
        Volatile.Write(ref *(_base + 128), 1);
        Interlocked.MemoryBarrier();
        return started;
    }

    public void Unmap() => _ = Libc.Munmap(_base, _mapped);
}
