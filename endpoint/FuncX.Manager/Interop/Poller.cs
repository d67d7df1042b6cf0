using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FuncX.Manager.Interop;

/// <summary>What a descriptor's readiness is told to.</summary>
internal interface IPollHandler
{
    /// <summary>The descriptor is ready; <paramref name="events"/> are epoll's bits.</summary>
    void OnReady(uint events);
}

/// <summary>
/// An epoll set (level-triggered). A handler is named by index and generation, so that an event fetched before its descriptor was closed is
/// recognised. Handlers added as early are told before the others of the same wait.
/// </summary>
internal sealed unsafe class Poller
{
    private const int Capacity = 1024;

    // struct epoll_event is packed on x86-64 only (12 bytes, data at 4); elsewhere 16 and 8
    private static readonly int Stride = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    private const ulong EarlyBit = 1UL << 63;

    private readonly int _epoll;
    private readonly byte* _events;
    private readonly Stack<int> _free = new();
    private IPollHandler?[] _handlers = new IPollHandler?[64];
    private uint[] _generations = new uint[64];
    private int _used;

    public Poller()
    {
        _epoll = Libc.EpollCreate(Libc.EPOLL_CLOEXEC);
        if (_epoll < 0)
            throw new InvalidOperationException($"epoll_create1 failed: {Libc.LastError()}");
        _events = (byte*)NativeMemory.AllocZeroed((nuint)(Capacity * Stride));
    }

    /// <summary>Adds a descriptor; the result is its key for the other calls.</summary>
    public ulong Add(int descriptor, uint events, IPollHandler handler, bool early = false)
    {
        if (!_free.TryPop(out var index))
        {
            index = _used++;
            if (index == _handlers.Length)
            {
                Array.Resize(ref _handlers, index * 2);
                Array.Resize(ref _generations, index * 2);
            }
        }

        _handlers[index] = handler;
        var key = (uint)index | ((ulong)(_generations[index] & 0x7fffffff) << 32) | (early ? EarlyBit : 0);
        Control(Libc.EPOLL_CTL_ADD, descriptor, events, key);
        return key;
    }

    /// <summary>Changes which events are wanted.</summary>
    public void Change(int descriptor, uint events, ulong key) => Control(Libc.EPOLL_CTL_MOD, descriptor, events, key);

    /// <summary>Forgets a descriptor; call before closing it.</summary>
    public void Remove(int descriptor, ulong key)
    {
        _ = Libc.EpollCtl(_epoll, Libc.EPOLL_CTL_DEL, descriptor, null);
        var index = (int)(uint)key;
        _handlers[index] = null;
        _generations[index]++;
        _free.Push(index);
    }

    /// <summary>Blocks until something is ready; returns how many events were fetched.</summary>
    public int Wait()
    {
        while (true)
        {
            var count = Libc.EpollWait(_epoll, _events, Capacity, -1);
            if (count >= 0)
                return count;
            if (Marshal.GetLastPInvokeError() != Libc.EINTR)
                throw new InvalidOperationException($"epoll_wait failed: {Libc.LastError()}");
        }
    }

    /// <summary>Tells the handlers of the last wait, early ones first.</summary>
    public void Dispatch(int count)
    {
        Dispatch(count, early: true);
        Dispatch(count, early: false);
    }

    private void Dispatch(int count, bool early)
    {
        for (var i = 0; i < count; i++)
        {
            var at = _events + (i * Stride);
            var key = Unsafe.ReadUnaligned<ulong>(at + DataOffset);
            if ((key & EarlyBit) != 0 != early)
                continue;
            var index = (int)(uint)key;
            if ((uint)((key >> 32) & 0x7fffffff) == (_generations[index] & 0x7fffffff))
                _handlers[index]?.OnReady(*(uint*)at);
        }
    }

    private void Control(int operation, int descriptor, uint events, ulong key)
    {
        var change = stackalloc byte[16];
        *(uint*)change = events;
        Unsafe.WriteUnaligned(change + DataOffset, key);
        if (Libc.EpollCtl(_epoll, operation, descriptor, change) < 0)
            throw new InvalidOperationException($"epoll_ctl({operation}) of descriptor {descriptor} failed: {Libc.LastError()}");
    }
}
