using System.Runtime.InteropServices;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Workers;

/// <summary>Where the bytes of the next sendmsg lie. Neighbours of one slab become one vector. One for the whole node: it is filled and sent in one go.</summary>
internal sealed unsafe class Gather
{
    private const int Capacity = 1024;

    public Gather() => Vectors = (Libc.Iovec*)NativeMemory.AllocZeroed((nuint)(Capacity * sizeof(Libc.Iovec)));

    public Libc.Iovec* Vectors { get; }

    /// <summary>The slab each vector lies in.</summary>
    public Slab?[] Slabs { get; } = new Slab?[Capacity];

    public int Count { get; private set; }

    /// <summary>Room for a function and a task.</summary>
    public bool HasRoom => Count < Capacity - 2;

    public void Add(Slab slab, byte* pointer, int length)
    {
        if (Count > 0 && Slabs[Count - 1] == slab)
        {
            ref var last = ref Vectors[Count - 1];
            if ((byte*)last.Base + last.Length == pointer)
            {
                last.Length += (nuint)length;
                return;
            }
        }

        Vectors[Count] = new Libc.Iovec { Base = pointer, Length = (nuint)length };
        Slabs[Count] = slab;
        Count++;
    }

    /// <summary>Sends; returns how many bytes the socket took. 0 when it is full or the peer is gone (its end of file follows).</summary>
    public nint Send(int socket)
    {
        var message = new Libc.Msghdr { Iov = Vectors, IovLength = (nuint)Count };
        while (true)
        {
            var sent = Libc.SendMsg(socket, &message, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL);
            if (sent >= 0)
                return sent;
            if (Marshal.GetLastPInvokeError() != Libc.EINTR)
                return 0;
        }
    }

    public void Clear()
    {
        Array.Clear(Slabs, 0, Count);
        Count = 0;
    }
}
