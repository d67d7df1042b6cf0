using FuncX.Mpi.Interop;
using FuncX.Mpi.Loading;

namespace FuncX.Mpi;

/// <summary>
/// MPI in this process: found, loaded, initialised and tested. There is one per process and it cannot be started again (MPI standard).
/// It belongs to the thread that called <see cref="Initialize"/>, which must live as long as MPI is used; the calls of every type here that talk to MPI
/// throw <see cref="InvalidOperationException"/> from another thread. An async method may continue elsewhere: give MPI a thread of its own.
/// </summary>
/// <remarks>
/// Not disposable on purpose: MPI_Finalize waits for the other ranks, and a <c>using</c> would do that while an exception is on its way up. A rank
/// that cannot go on calls <see cref="MpiCommunicator.Abort"/>.
/// No process may be forked after <see cref="Initialize"/>: networks register memory that a child must not share.
/// </remarks>
public sealed unsafe class MpiRuntime
{
    private static readonly Lock s_once = new();
    private static bool s_started;

    private readonly NativeMpi _mpi;
    private readonly MessageTable _matched = new();

    private MpiRuntime(NativeMpi mpi, MpiLibrary library, MpiThreadLevel level, MpiOptions options)
    {
        _mpi = mpi;
        Library = library;
        ThreadLevel = level;
        ProcessorName = mpi.ProcessorName();
        Buffers = new MpiBufferPool(options.BufferBytesKept);
        Sends = new MpiSends(mpi, options.MaxOutstandingSends);
        World = new MpiCommunicator(mpi, mpi.Layout.World, _matched, Sends, Buffers);
        Self = new MpiCommunicator(mpi, mpi.Layout.Self, _matched, Sends, Buffers);
    }

    /// <summary>The library in use.</summary>
    public MpiLibrary Library { get; }

    /// <summary>What the library granted, at least <see cref="MpiThreadLevel.Funneled"/>.</summary>
    public MpiThreadLevel ThreadLevel { get; }

    /// <summary>The node, as MPI calls it; often its host name.</summary>
    public string ProcessorName { get; }

    /// <summary>All processes that were launched together.</summary>
    public MpiCommunicator World { get; }

    /// <summary>This process alone.</summary>
    public MpiCommunicator Self { get; }

    /// <summary>The unfinished nonblocking sends of both.</summary>
    public MpiSends Sends { get; }

    /// <summary>Memory for messages.</summary>
    public MpiBufferPool Buffers { get; }

    /// <summary>Whether the calling thread is the one that may call MPI.</summary>
    public bool IsMpiThread => NativeMpi.IsMpiThread;

    /// <summary>
    /// Finds and loads libmpi, initialises it (MPI_Init_thread, funneled), has errors returned instead of ending the job, and sends itself a message to see
    /// that the library is what it seems. All ranks of a job have to call it; it returns when they have, as far as the library waits for them.
    /// Signals that the .NET runtime handles do what they did before; register handlers before or after this call, not during it.
    /// </summary>
    /// <exception cref="MpiLibraryException">No library, or one that is not usable; the message says what was tried and why not.</exception>
    /// <exception cref="MpiException">MPI_Init_thread failed. Many libraries print their reason and end the process instead.</exception>
    /// <exception cref="InvalidOperationException">MPI was initialised in this process before.</exception>
    public static MpiRuntime Initialize(MpiOptions? options = null)
    {
        options ??= new MpiOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxOutstandingSends, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.MaxOutstandingSends, 65_536);
        ArgumentOutOfRangeException.ThrowIfNegative(options.BufferBytesKept);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.BufferBytesKept, 1 << 30);
        lock (s_once)
        {
            if (s_started)
                throw new InvalidOperationException("MPI was initialised in this process before; the standard allows it once");
            var signals = RuntimeSignals.Capture();
            try
            {
                RuntimeSignals.AskLibraries();
                var loaded = LibraryLoader.Load(LibraryNames.InOrder(options.Library, Environment.GetEnvironmentVariable));
                return Start(loaded, options);
            }
            finally
            {
                signals.Restore();
            }
        }
    }

    /// <summary>
    /// Loads the library that <see cref="Initialize"/> would use and starts nothing: for who has to know which one that is. A library may start threads when it is loaded, and is never
    /// unloaded: better asked in a process of its own.
    /// </summary>
    /// <exception cref="MpiLibraryException">No library, or one that is not usable; the message says what was tried and why not.</exception>
    public static MpiLibrary FindLibrary(MpiOptions? options = null)
    {
        var signals = RuntimeSignals.Capture();
        try
        {
            RuntimeSignals.AskLibraries();
            return LibraryLoader.Load(LibraryNames.InOrder(options?.Library, Environment.GetEnvironmentVariable)).Library;
        }
        finally
        {
            signals.Restore();
        }
    }

    /// <summary>The library's text for an error code of its own.</summary>
    public string ErrorText(int code)
    {
        _mpi.Enter();
        return _mpi.ErrorText(code);
    }

    /// <summary>
    /// Ends MPI (MPI_Finalize); waits for the other ranks as far as the library does. Afterwards every call throws
    /// <see cref="ObjectDisposedException"/>; buffers stay valid.
    /// </summary>
    /// <exception cref="InvalidOperationException">Sends are unfinished or matched messages not received: MPI would wait for them for ever, or lose them.</exception>
    public void FinalizeMpi()
    {
        _mpi.Enter();
        if (Sends.Outstanding > 0 || _matched.Count > 0)
            throw new InvalidOperationException($"{Sends.Outstanding} sends are unfinished and {_matched.Count} matched messages not received; finish both before MPI ends, or abort");
        _mpi.Finish();
    }

    private static MpiRuntime Start(LoadedLibrary loaded, MpiOptions options)
    {
        var (library, calls, layout) = (loaded.Library, loaded.Calls, loaded.Layout);
        int already;
        if (calls.Initialized(&already) == 0 && already != 0)
            throw new InvalidOperationException($"something else in this process has initialised {library.Path}; MPI can be initialised once");

        s_started = true;
        int granted;
        var code = calls.InitThread(null, null, (int)MpiThreadLevel.Funneled, &granted);
        var mpi = new NativeMpi(calls, layout);
        mpi.Require("MPI_Init_thread", code, $"of {library.Path}");
        if (granted < (int)MpiThreadLevel.Funneled)
            throw Unusable(library, $"it allows a process one thread only (MPI_THREAD_SINGLE); a build with thread support is needed");

        // The default handler ends the job at the first error. MPI 3 reports what belongs to no communicator on the world, MPI 4 on self.
        mpi.Require("MPI_Comm_set_errhandler", calls.CommSetErrorHandler(layout.World, layout.ErrorsReturn), "for all ranks");
        mpi.Require("MPI_Comm_set_errhandler", calls.CommSetErrorHandler(layout.Self, layout.ErrorsReturn), "for this process");
        if (SelfTest.Run(mpi) is { } problem)
            throw Unusable(library, $"{problem}; it was taken for a library with {(layout.Abi == MpiAbi.OpenMpi ? "Open MPI" : "MPICH")}'s binary interface (\"{library.Version.Split('\n')[0]}\")");
        return new MpiRuntime(mpi, library, (MpiThreadLevel)granted, options);
    }

    private static MpiLibraryException Unusable(MpiLibrary library, string reason) =>
        new($"{library.Path} cannot be used: {reason}. Name another with {MpiOptions.LibraryVariable}.", [new MpiLibraryAttempt(library.Path, reason)]);
}
