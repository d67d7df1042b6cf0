using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using FuncX.Wire;

namespace FuncX.Workers;

/// <summary>A worker's end of its socket: whole messages in, whole messages out, one thread.</summary>
internal sealed partial class WorkerSocket : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _head = new byte[FrameHeader.Size];

    private WorkerSocket(Socket socket) => _socket = socket;

    /// <summary>Takes descriptor 0, in whose place user code finds an empty file: what it reads or closes there is not the socket.</summary>
    public static WorkerSocket TakeDescriptor0()
    {
        var descriptor = Duplicate(0, DuplicateCloseOnExec, FirstNumber);
        if (descriptor < 0)
            throw new InvalidOperationException($"descriptor 0 cannot be duplicated: {Marshal.GetLastPInvokeErrorMessage()}");
        var nothing = OpenFile("/dev/null", OpenReadWrite | OpenCloseOnExec);
        _ = DuplicateTo(nothing, 0);
        return new WorkerSocket(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)));
    }

    /// <summary>The next message, its segments joined. False: the socket ended.</summary>
    /// <exception cref="FrameException">What came is no message.</exception>
    public bool TryReceive(long most, out FrameHeader header, out byte[] body)
    {
        body = [];
        header = default;
        if (!Fill(_head))
            return false;
        header = FrameHeader.Read(_head);
        body = new byte[header.BodyLength];
        if (!Fill(body))
            return false;
        return (header.Flags & FrameFlags.Segmented) == 0 || Join(most, header, ref body);
    }

    /// <summary>Sends a message of any size.</summary>
    public void Send(FrameHeader header, ReadOnlySpan<byte> body)
    {
        var frame = new byte[FrameHeader.Size + Math.Min(body.Length, FrameHeader.MaxBody)];
        if (body.Length <= FrameHeader.MaxBody)
        {
            header.BodyLength = body.Length;
            Send(frame, header, body);
            return;
        }

        header.Flags |= FrameFlags.Segmented;
        header.BodyLength = FrameHeader.MaxBody;
        var taken = FrameHeader.MaxBody - sizeof(long);
        header.Write(frame);
        BinaryPrimitives.WriteInt64LittleEndian(frame.AsSpan(FrameHeader.Size), body.Length);
        body[..taken].CopyTo(frame.AsSpan(FrameHeader.Size + sizeof(long)));
        SendAll(frame);
        header.Kind = FrameKind.Segment;
        while (taken < body.Length)
        {
            var slice = body.Slice(taken, Math.Min(FrameHeader.MaxBody, body.Length - taken));
            taken += slice.Length;
            header.Flags = taken == body.Length ? FrameFlags.Last : FrameFlags.None;
            header.BodyLength = slice.Length;
            Send(frame, header, slice);
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Send(byte[] frame, in FrameHeader header, ReadOnlySpan<byte> body)
    {
        header.Write(frame);
        body.CopyTo(frame.AsSpan(FrameHeader.Size));
        SendAll(frame.AsSpan(0, FrameHeader.Size + body.Length));
    }

    private void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[_socket.Send(bytes)..];
    }

    private bool Join(long most, in FrameHeader first, ref byte[] body)
    {
        if (body.Length < sizeof(long))
            throw new FrameException("a segmented message without its length");
        var whole = BinaryPrimitives.ReadInt64LittleEndian(body);
        var length = body.Length - sizeof(long);
        if (whole < length || whole > Math.Min(most, Array.MaxLength))
            throw new FrameException($"a message of {whole} bytes; at most {most} are possible");
        var joined = new byte[whole];
        body.AsSpan(sizeof(long)).CopyTo(joined);
        while (length < whole)
        {
            if (!Fill(_head))
                return false;
            var segment = FrameHeader.Read(_head);
            if (segment.Kind != FrameKind.Segment || segment.Task != first.Task || segment.BodyLength > whole - length)
                throw new FrameException($"a frame of kind {segment.Kind} where a segment of task {first.Task} was due");
            if (!Fill(joined.AsSpan(length, segment.BodyLength)))
                return false;
            length += segment.BodyLength;
            if ((segment.Flags & FrameFlags.Last) != 0 != (length == whole))
                throw new FrameException($"the segments of task {first.Task} do not make up the announced length");
        }

        body = joined;
        return true;
    }

    private bool Fill(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var count = _socket.Receive(bytes);
            if (count == 0)
                return false;
            bytes = bytes[count..];
        }

        return true;
    }

    private const int DuplicateCloseOnExec = 1030; // F_DUPFD_CLOEXEC
    private const int FirstNumber = 64;
    private const int OpenReadWrite = 2;
    private const int OpenCloseOnExec = 0x80000;

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Duplicate(int descriptor, int command, int least);

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int DuplicateTo(int from, int to);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);
}
