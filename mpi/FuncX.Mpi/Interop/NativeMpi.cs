using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace FuncX.Mpi.Interop;

/// <summary>The initialised library as the one thread that may call it sees it: functions, layout, the status of the last call.</summary>
internal sealed unsafe class NativeMpi
{
    // MPI_MAX_ERROR_STRING and MPI_MAX_PROCESSOR_NAME are 128 to 1024 in the libraries known.
    private const int TextRoom = 8192;

    // A managed thread id may be used again after its thread has ended; this mark ends with the thread.
    [ThreadStatic]
    private static bool s_isMpiThread;

    private readonly string _threadName;
    private bool _finalized;

    public NativeMpi(MpiCalls calls, AbiLayout layout)
    {
        Calls = calls;
        Layout = layout;
        Status = (byte*)NativeMemory.AllocZeroed(AbiLayout.StatusRoom);
        s_isMpiThread = true;
        _threadName = ThreadName();
    }

    public MpiCalls Calls { get; }

    public AbiLayout Layout { get; }

    /// <summary>Where every call leaves its status.</summary>
    public byte* Status { get; }

    public bool IsFinalized => _finalized;

    public static bool IsMpiThread => s_isMpiThread;

    /// <summary>Stands first in every public call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Enter()
    {
        if (!s_isMpiThread || _finalized)
            Refuse();
    }

    /// <summary>Of the status of the last call.</summary>
    public int StatusSource => *(int*)(Status + Layout.SourceAt);

    /// <summary>Of the status of the last call.</summary>
    public int StatusTag => *(int*)(Status + Layout.TagAt);

    /// <summary>Of the status of the last call, in bytes.</summary>
    public int StatusCount => *(int*)(Status + Layout.CountAt);

    public MpiEnvelope Envelope() => new(StatusSource, StatusTag, StatusCount);

    /// <summary>Our wildcard is -1 under both libraries; MPICH's own is -2, and its -1 is something else.</summary>
    public int Source(int source) => source >= 0 ? source : Layout.AnySource;

    public void Require(string call, int code, string about)
    {
        if (code != 0)
            throw Failure(call, code, about);
    }

    public MpiException Failure(string call, int code, string about)
    {
        var text = ErrorText(code);
        int errorClass;
        if (Calls.ErrorClass(code, &errorClass) != 0)
            errorClass = code;
        return new MpiException(call, code, errorClass, text, $"{call} {about} failed (code {code}, class {errorClass}): \"{text}\"");
    }

    public string ErrorText(int code)
    {
        var room = stackalloc byte[TextRoom];
        var length = 0;
        return Calls.ErrorString(code, room, &length) == 0 ? Text(room, length) : $"error code {code}, for which the library has no text";
    }

    public string ProcessorName()
    {
        var room = stackalloc byte[TextRoom];
        var length = 0;
        Require("MPI_Get_processor_name", Calls.GetProcessorName(room, &length), "of this process");
        return Text(room, length);
    }

    public int Rank(nint communicator)
    {
        var rank = -1;
        Require("MPI_Comm_rank", Calls.CommRank(communicator, &rank), "of this process");
        return rank;
    }

    public int Size(nint communicator)
    {
        var size = -1;
        Require("MPI_Comm_size", Calls.CommSize(communicator, &size), "of this process's world");
        return size;
    }

    public void Finish()
    {
        Require("MPI_Finalize", Calls.Finalize(), "of this process");
        _finalized = true;
    }

    private static string Text(byte* start, int length) =>
        Encoding.UTF8.GetString(start, Math.Clamp(length, 0, TextRoom)).TrimEnd('\0', '\n', ' ');

    private static string ThreadName() => $"{Environment.CurrentManagedThreadId}{(Thread.CurrentThread.Name is { } name ? $" ({name})" : "")}";

    [DoesNotReturn]
    private void Refuse()
    {
        ObjectDisposedException.ThrowIf(_finalized, typeof(MpiRuntime));
        throw new InvalidOperationException(
            $"MPI was initialised on managed thread {_threadName} and may be called there only; this call came from thread {ThreadName()}. Hand the work over to that thread.");
    }
}
