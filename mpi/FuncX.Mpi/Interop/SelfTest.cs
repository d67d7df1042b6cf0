using System.Runtime.InteropServices;

namespace FuncX.Mpi.Interop;

/// <summary>
/// Sends this process a message and looks at every constant and offset of the layout on the way. A library with another binary interface
/// than the one it was taken for is found here, not later by a message from nowhere.
/// </summary>
internal sealed unsafe class SelfTest
{
    private const byte Untouched = 0xA5;
    private const int Tag = 12345;
    private const int Bytes = 13;

    private readonly NativeMpi _mpi;
    private readonly byte* _room;

    private SelfTest(NativeMpi mpi, byte* room)
    {
        _mpi = mpi;
        _room = room;
    }

    /// <summary>What is wrong, or null.</summary>
    public static string? Run(NativeMpi mpi)
    {
        // Message out, request out, status, sent, received: 64 bytes each.
        var room = (byte*)NativeMemory.Alloc(320);
        try
        {
            new Span<byte>(room, 320).Fill(Untouched);
            return new SelfTest(mpi, room).Run();
        }
        catch (MpiException problem)
        {
            return problem.Message;
        }
        finally
        {
            NativeMemory.Free(room);
        }
    }

    private string? Run() => Communicators() ?? Message();

    private string? Communicators()
    {
        var (rank, size) = (_mpi.Rank(_mpi.Layout.World), _mpi.Size(_mpi.Layout.World));
        if (size < 1 || rank < 0 || rank >= size)
            return $"it says this is rank {rank} of {size}";
        var (own, alone) = (_mpi.Rank(_mpi.Layout.Self), _mpi.Size(_mpi.Layout.Self));
        if (own != 0 || alone != 1)
            return $"in the communicator of this process alone it says rank {own} of {alone}, expected 0 of 1";
        int bytes;
        _mpi.Require("MPI_Type_size", _mpi.Calls.TypeSize(_mpi.Layout.Byte, &bytes), "of MPI_BYTE");
        return bytes == 1 ? null : $"it says that MPI_BYTE has {bytes} bytes";
    }

    private string? Message()
    {
        byte* message = _room, request = _room + 64, status = _room + 128, sent = _room + 192, received = _room + 256;
        var (calls, layout) = (_mpi.Calls, _mpi.Layout);
        for (var i = 0; i < Bytes; i++)
            sent[i] = (byte)(i + 1);

        _mpi.Require("MPI_Isend", calls.Isend(sent, Bytes, layout.Byte, 0, Tag, layout.Self, request), "to this process");
        var arrived = 0;
        // A message to oneself is there at once or after some progress, never after waiting.
        for (var attempt = 0; attempt < 100_000 && arrived == 0; attempt++)
            _mpi.Require("MPI_Improbe", calls.Improbe(layout.AnySource, AbiLayout.AnyTag, layout.Self, &arrived, message, status), "of this process");
        if (arrived == 0)
            return "a message from this process to itself did not arrive";
        if (Handle("message", message) is { } badMessage)
            return badMessage;
        if (Status("probing", status) is { } badProbe)
            return badProbe;

        new Span<byte>(status, 64).Fill(Untouched);
        _mpi.Require("MPI_Mrecv", calls.Mrecv(received, Bytes, layout.Byte, message, status), "from this process");
        if (Status("receiving", status) is { } badReceive)
            return badReceive;
        if (!new ReadOnlySpan<byte>(sent, Bytes).SequenceEqual(new ReadOnlySpan<byte>(received, Bytes)) || received[Bytes] != Untouched)
            return "a message from this process to itself came with other bytes";

        var finished = 0;
        for (var attempt = 0; attempt < 100_000 && finished == 0; attempt++)
            _mpi.Require("MPI_Test", calls.Test(request, &finished, status), "of a send to this process");
        if (finished == 0)
            return "a send from this process to itself did not finish";
        var rest = layout.HandleBytes == 4 ? (nint)(*(uint*)request) : *(nint*)request;
        return rest == layout.RequestNull ? Handle("request", request) : $"a finished request is 0x{rest:x}, expected 0x{layout.RequestNull:x}";
    }

    private string? Handle(string what, byte* handle) =>
        IsUntouched(handle, _mpi.Layout.HandleBytes) ? null : $"a {what} handle is wider than {_mpi.Layout.HandleBytes} bytes";

    private string? Status(string when, byte* status)
    {
        var layout = _mpi.Layout;
        if (!IsUntouched(status, layout.StatusBytes))
            return $"the status after {when} is longer than {layout.StatusBytes} bytes";
        var (source, tag, length) = (*(int*)(status + layout.SourceAt), *(int*)(status + layout.TagAt), *(int*)(status + layout.CountAt));
        int count;
        _mpi.Require("MPI_Get_count", _mpi.Calls.GetCount(status, layout.Byte, &count), $"after {when}");
        if (count != Bytes)
            return $"MPI_Get_count says {count} bytes after {when}, expected {Bytes}";
        return (source, tag, length) == (0, Tag, Bytes)
            ? null
            : $"the status after {when} says source {source}, tag {tag}, {length} bytes; expected 0, {Tag}, {Bytes}";
    }

    private static bool IsUntouched(byte* start, int from) => !new ReadOnlySpan<byte>(start + from, 64 - from).ContainsAnyExcept(Untouched);
}
