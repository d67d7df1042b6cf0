using System.Buffers;
using System.Runtime.InteropServices;
using FuncX.Mpi.Interop;

namespace FuncX.Mpi;

/// <summary>
/// The unfinished nonblocking sends and receives of this process, of all communicators. Each holds its memory in place until MPI has done with it. Only the
/// MPI thread may call; sends make progress only inside calls of MPI, so somebody has to come back and test.
/// </summary>
public sealed unsafe class MpiSends
{
    // One look at so many requests; their indices and statuses lie in memory that is allocated once.
    private const int Window = 64;

    private readonly NativeMpi _mpi;
    private readonly Slot[] _slots;
    private readonly int[] _free;
    private readonly int[] _slotAt;
    private readonly IDisposable?[] _owners = new IDisposable?[Window];
    private readonly byte* _requests;
    private readonly int* _indices;
    private readonly byte* _statuses;
    private int _cursor;

    internal MpiSends(NativeMpi mpi, int capacity)
    {
        _mpi = mpi;
        Capacity = capacity;
        _slots = new Slot[capacity];
        _slotAt = new int[capacity];
        _free = [.. Enumerable.Range(0, capacity).Reverse()];
        // All three live as long as the process: the one MPI runtime of a process is never replaced.
        _requests = (byte*)NativeMemory.AllocZeroed((nuint)capacity, (nuint)mpi.Layout.HandleBytes);
        _indices = (int*)NativeMemory.AllocZeroed(Window, sizeof(int));
        _statuses = (byte*)NativeMemory.AllocZeroed(Window, AbiLayout.StatusRoom);
    }

    /// <summary>How many sends may be unfinished: <see cref="MpiOptions.MaxOutstandingSends"/>.</summary>
    public int Capacity { get; }

    /// <summary>How many are.</summary>
    public int Outstanding { get; private set; }

    /// <summary>
    /// Asks once about unfinished sends, without waiting, and takes out those that are finished. Their memory is unpinned and their owners are
    /// disposed when this returns.
    /// </summary>
    /// <param name="finished">Filled from its start; when it is full the rest is for the next call, which begins where this one ended.</param>
    /// <returns>How many entries were filled.</returns>
    /// <exception cref="MpiException">The question itself failed. A send that failed is an entry with its error.</exception>
    public int Test(Span<MpiSendCompletion> finished)
    {
        _mpi.Enter();
        var count = 0;
        for (var unseen = Outstanding; unseen > 0 && count < finished.Length;)
        {
            if (_cursor >= Outstanding)
                _cursor = 0;
            var window = Math.Min(Math.Min(Window, unseen), Math.Min(Outstanding - _cursor, finished.Length - count));
            var taken = TestWindow(window, finished[count..]);
            unseen -= window;
            // What was taken out is replaced by requests from the end, which this round has seen or will see in the next call.
            _cursor += window - taken;
            count += taken;
        }

        return count;
    }

    /// <summary>Asks about one send, without waiting.</summary>
    /// <returns>True when it is finished, and from then on.</returns>
    /// <exception cref="MpiException">The send failed. It is finished then, and its memory is free.</exception>
    public bool Test(MpiSendId id)
    {
        _mpi.Enter();
        if ((uint)id.Slot >= (uint)Capacity)
            throw NoSuchSlot(id, nameof(id));
        ref var slot = ref _slots[id.Slot];
        if (!slot.Used || slot.Generation != id.Generation)
            return true;
        int done;
        var position = slot.Position;
        var code = _mpi.Calls.Test(Request(position), &done, _mpi.Status);
        if (code == 0 && done == 0)
            return false;
        Remove(position)?.Dispose();
        if (code != 0)
            throw TestFailure(code, id);
        return true;
    }

    internal bool TryStart(ReadOnlyMemory<byte> body, int destination, int tag, nint communicator, IDisposable? owner, out MpiSendId id)
    {
        if (Outstanding == Capacity)
        {
            id = default;
            return false;
        }

        var position = Outstanding;
        var pin = body.Pin();
        // A 4-byte handle leaves the upper half of its place alone, and places are packed: nothing to clear.
        var code = _mpi.Calls.Isend(pin.Pointer, body.Length, _mpi.Layout.Byte, destination, tag, communicator, Request(position));
        if (code != 0)
        {
            pin.Dispose();
            throw SendFailure(code, body.Length, destination, tag);
        }

        id = Add(pin, owner);
        return true;
    }

    internal MpiSendId StartReceive(nint message, Memory<byte> body, IDisposable? owner)
    {
        var position = Outstanding;
        var pin = body.Pin();
        var code = _mpi.Calls.Imrecv(pin.Pointer, body.Length, _mpi.Layout.Byte, &message, Request(position));
        if (code != 0)
        {
            pin.Dispose();
            throw _mpi.Failure("MPI_Imrecv", code, $"of {body.Length} bytes");
        }

        return Add(pin, owner);
    }

    private MpiSendId Add(in MemoryHandle pin, IDisposable? owner)
    {
        var position = Outstanding++;
        var number = _free[position];
        ref var slot = ref _slots[number];
        slot.Pin = pin;
        slot.Owner = owner;
        slot.Position = position;
        slot.Used = true;
        _slotAt[position] = number;
        return new MpiSendId(number, slot.Generation);
    }

    private int TestWindow(int window, Span<MpiSendCompletion> finished)
    {
        var count = 0;
        var code = _mpi.Calls.Testsome(window, Request(_cursor), &count, _indices, _statuses);
        var failures = false;
        if (code != 0)
        {
            int errorClass;
            failures = _mpi.Calls.ErrorClass(code, &errorClass) == 0 && errorClass == _mpi.Layout.ErrorInStatus;
            if (!failures)
                throw _mpi.Failure("MPI_Testsome", code, $"of {window} sends");
        }

        // MPI_UNDEFINED is negative and means that no request was active; none of ours ever is inactive.
        if (count <= 0)
            return 0;

        for (var i = 0; i < count; i++)
        {
            var number = _slotAt[_cursor + _indices[i]];
            var error = failures ? *(int*)(_statuses + (i * _mpi.Layout.StatusBytes) + _mpi.Layout.ErrorAt) : 0;
            finished[i] = new MpiSendCompletion(new MpiSendId(number, _slots[number].Generation), error);
        }

        // From the highest position down, so that the request moved into a gap is never one that is finished too.
        var indices = new Span<int>(_indices, count);
        indices.Sort();
        for (var i = count - 1; i >= 0; i--)
            _owners[i] = Remove(_cursor + indices[i]);
        // Last, since an owner's Dispose may start a send.
        for (var i = 0; i < count; i++)
        {
            var owner = _owners[i];
            _owners[i] = null;
            owner?.Dispose();
        }

        return count;
    }

    // Texts are made away from the calls themselves, which would have to clear the room for them each time.
    private MpiException SendFailure(int code, int bytes, int destination, int tag) =>
        _mpi.Failure("MPI_Isend", code, $"of {bytes} bytes with tag {tag} to rank {destination}");

    private MpiException TestFailure(int code, MpiSendId id) => _mpi.Failure("MPI_Test", code, $"of send {id.Slot}");

    private ArgumentOutOfRangeException NoSuchSlot(MpiSendId id, string name) => new(name, id, $"slots of sends are 0 to {Capacity - 1}");

    private byte* Request(int position) => _requests + (position * _mpi.Layout.HandleBytes);

    private IDisposable? Remove(int position)
    {
        var number = _slotAt[position];
        var last = --Outstanding;
        if (position != last)
        {
            var bytes = _mpi.Layout.HandleBytes;
            new ReadOnlySpan<byte>(Request(last), bytes).CopyTo(new Span<byte>(Request(position), bytes));
            _slotAt[position] = _slotAt[last];
            _slots[_slotAt[position]].Position = position;
        }

        _free[last] = number;
        ref var slot = ref _slots[number];
        slot.Used = false;
        slot.Generation++;
        slot.Pin.Dispose();
        slot.Pin = default;
        var owner = slot.Owner;
        slot.Owner = null;
        return owner;
    }

    private struct Slot
    {
        public MemoryHandle Pin;
        public IDisposable? Owner;
        public int Position;
        public uint Generation;
        public bool Used;
    }
}
