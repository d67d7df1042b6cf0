namespace FuncX.Mpi.Interop;

/// <summary>
/// The functions of libmpi as addresses. A handle (communicator, type, request, message) is passed as <c>nint</c> to both binary interfaces:
/// where it is a 32-bit integer, the callee reads the lower half of the register.
/// </summary>
internal sealed unsafe class MpiCalls
{
    public readonly delegate* unmanaged<int*, int> Initialized;
    public readonly delegate* unmanaged<void*, void*, int, int*, int> InitThread;
    public readonly delegate* unmanaged<int> Finalize;
    public readonly delegate* unmanaged<nint, int, int> Abort;
    public readonly delegate* unmanaged<byte*, int*, int> GetLibraryVersion;
    public readonly delegate* unmanaged<byte*, int*, int> GetProcessorName;
    public readonly delegate* unmanaged<nint, int*, int> CommRank;
    public readonly delegate* unmanaged<nint, int*, int> CommSize;
    public readonly delegate* unmanaged<nint, nint, int> CommSetErrorHandler;
    public readonly delegate* unmanaged<int, byte*, int*, int> ErrorString;
    public readonly delegate* unmanaged<int, int*, int> ErrorClass;
    public readonly delegate* unmanaged<nint, int*, int> TypeSize;

    // buffer, count, type, destination, tag, communicator
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, int> Send;

    // buffer, count, type, destination, tag, communicator, request out
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, void*, int> Isend;

    // buffer, count, type, source, tag, communicator, status out
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, void*, int> Recv;

    // source, tag, communicator, flag out, message out, status out
    public readonly delegate* unmanaged<int, int, nint, int*, void*, void*, int> Improbe;

    // source, tag, communicator, message out, status out
    public readonly delegate* unmanaged<int, int, nint, void*, void*, int> Mprobe;

    // buffer, count, type, message in and out, status out
    public readonly delegate* unmanaged<void*, int, nint, void*, void*, int> Mrecv;

    // buffer, count, type, message in and out, request out
    public readonly delegate* unmanaged<void*, int, nint, void*, void*, int> Imrecv;

    // status, type, count out
    public readonly delegate* unmanaged<void*, nint, int*, int> GetCount;

    // request in and out, flag out, status out
    public readonly delegate* unmanaged<void*, int*, void*, int> Test;

    // count, requests in and out, count of finished out, their indices out, their statuses out
    public readonly delegate* unmanaged<int, void*, int*, int*, void*, int> Testsome;

    // buffer, count, type, root, communicator
    public readonly delegate* unmanaged<void*, int, nint, int, nint, int> Bcast;
    public readonly delegate* unmanaged<nint, int> Barrier;

    private readonly List<string> _missing = [];

    private MpiCalls(nint library)
    {
        nint Find(string name)
        {
            var address = DynamicLoader.Symbol(library, name);
            if (address == 0)
                _missing.Add(name);
            return address;
        }

        Initialized = (delegate* unmanaged<int*, int>)Find("MPI_Initialized");
        InitThread = (delegate* unmanaged<void*, void*, int, int*, int>)Find("MPI_Init_thread");
        Finalize = (delegate* unmanaged<int>)Find("MPI_Finalize");
        Abort = (delegate* unmanaged<nint, int, int>)Find("MPI_Abort");
        GetLibraryVersion = (delegate* unmanaged<byte*, int*, int>)Find("MPI_Get_library_version");
        GetProcessorName = (delegate* unmanaged<byte*, int*, int>)Find("MPI_Get_processor_name");
        CommRank = (delegate* unmanaged<nint, int*, int>)Find("MPI_Comm_rank");
        CommSize = (delegate* unmanaged<nint, int*, int>)Find("MPI_Comm_size");
        CommSetErrorHandler = (delegate* unmanaged<nint, nint, int>)Find("MPI_Comm_set_errhandler");
        ErrorString = (delegate* unmanaged<int, byte*, int*, int>)Find("MPI_Error_string");
        ErrorClass = (delegate* unmanaged<int, int*, int>)Find("MPI_Error_class");
        TypeSize = (delegate* unmanaged<nint, int*, int>)Find("MPI_Type_size");
        Send = (delegate* unmanaged<void*, int, nint, int, int, nint, int>)Find("MPI_Send");
        Isend = (delegate* unmanaged<void*, int, nint, int, int, nint, void*, int>)Find("MPI_Isend");
        Recv = (delegate* unmanaged<void*, int, nint, int, int, nint, void*, int>)Find("MPI_Recv");
        Improbe = (delegate* unmanaged<int, int, nint, int*, void*, void*, int>)Find("MPI_Improbe");
        Mprobe = (delegate* unmanaged<int, int, nint, void*, void*, int>)Find("MPI_Mprobe");
        Mrecv = (delegate* unmanaged<void*, int, nint, void*, void*, int>)Find("MPI_Mrecv");
        Imrecv = (delegate* unmanaged<void*, int, nint, void*, void*, int>)Find("MPI_Imrecv");
        GetCount = (delegate* unmanaged<void*, nint, int*, int>)Find("MPI_Get_count");
        Test = (delegate* unmanaged<void*, int*, void*, int>)Find("MPI_Test");
        Testsome = (delegate* unmanaged<int, void*, int*, int*, void*, int>)Find("MPI_Testsome");
        Bcast = (delegate* unmanaged<void*, int, nint, int, nint, int>)Find("MPI_Bcast");
        Barrier = (delegate* unmanaged<nint, int>)Find("MPI_Barrier");
    }

    /// <summary>All functions of <paramref name="library"/>, or null and the names that it lacks.</summary>
    public static MpiCalls? Resolve(nint library, out IReadOnlyList<string> missing)
    {
        var calls = new MpiCalls(library);
        missing = calls._missing;
        return missing.Count == 0 ? calls : null;
    }
}
