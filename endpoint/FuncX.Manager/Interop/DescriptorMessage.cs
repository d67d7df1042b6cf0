using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FuncX.Manager.Interop;

/// <summary>Sends and receives bytes together with file descriptors (SCM_RIGHTS, unix(7)).</summary>
internal static unsafe class DescriptorMessage
{
    /// <summary>Most descriptors one message carries here.</summary>
    public const int MaxDescriptors = 8;

    private const int ControlHeader = 16;
    private const int ControlBytes = ControlHeader + (MaxDescriptors * sizeof(int));

    /// <summary>Sends one message; returns the bytes sent or -1 with the error set.</summary>
    public static nint Send(int socket, ReadOnlySpan<byte> bytes, ReadOnlySpan<int> descriptors, int flags)
    {
        var control = stackalloc byte[ControlBytes];
        fixed (byte* data = bytes)
        {
            var iov = new Libc.Iovec { Base = data, Length = (nuint)bytes.Length };
            var message = new Libc.Msghdr { Iov = &iov, IovLength = 1 };
            if (!descriptors.IsEmpty)
            {
                // cmsghdr: u64 length (header included) | i32 level | i32 type | descriptors
                *(ulong*)control = (ulong)(ControlHeader + (descriptors.Length * sizeof(int)));
                *(int*)(control + 8) = Libc.SOL_SOCKET;
                *(int*)(control + 12) = Libc.SCM_RIGHTS;
                descriptors.CopyTo(new Span<int>(control + ControlHeader, MaxDescriptors));
                message.Control = control;
                message.ControlLength = (nuint)((ControlHeader + (descriptors.Length * sizeof(int)) + 7) & ~7);
            }

            while (true)
            {
                var sent = Libc.SendMsg(socket, &message, flags | Libc.MSG_NOSIGNAL);
                if (sent >= 0 || Marshal.GetLastPInvokeError() != Libc.EINTR)
                    return sent;
            }
        }
    }

    /// <summary>Receives bytes and the descriptors that came with them (close-on-exec). 0: end of file; -1: error.</summary>
    public static nint Receive(int socket, Span<byte> buffer, Span<int> descriptors, out int count, int flags)
    {
        count = 0;
        var control = stackalloc byte[ControlBytes];
        fixed (byte* data = buffer)
        {
            var iov = new Libc.Iovec { Base = data, Length = (nuint)buffer.Length };
            nint received;
            Libc.Msghdr message;
            while (true)
            {
                message = new Libc.Msghdr { Iov = &iov, IovLength = 1, Control = control, ControlLength = ControlBytes };
                received = Libc.RecvMsg(socket, &message, flags | Libc.MSG_CMSG_CLOEXEC);
                if (received >= 0 || Marshal.GetLastPInvokeError() != Libc.EINTR)
                    break;
            }

            if (received > 0 && message.ControlLength >= ControlHeader && *(int*)(control + 12) == Libc.SCM_RIGHTS)
            {
                var came = (int)((*(ulong*)control - ControlHeader) / sizeof(int));
                for (var i = 0; i < came; i++)
                {
                    var descriptor = Unsafe.ReadUnaligned<int>(control + ControlHeader + (i * sizeof(int)));
                    if (count < descriptors.Length)
                        descriptors[count++] = descriptor;
                    else
                        _ = Libc.Close(descriptor);
                }
            }

            return received;
        }
    }
}
