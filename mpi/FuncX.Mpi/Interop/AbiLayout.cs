namespace FuncX.Mpi.Interop;

/// <summary>What a compiled C program has from mpi.h: constants, handles, and where the fields of a status stand.</summary>
internal sealed class AbiLayout
{
    /// <summary>MPI_ANY_TAG, the same in both.</summary>
    public const int AnyTag = -1;

    /// <summary>Room for a status of either kind, and more for one that has grown.</summary>
    public const int StatusRoom = 64;

    public readonly MpiAbi Abi;
    public readonly nint World;
    public readonly nint Self;
    public readonly nint Byte;
    public readonly nint ErrorsReturn;
    public readonly nint RequestNull;
    public readonly int HandleBytes;
    public readonly int AnySource;
    public readonly int ErrorInStatus;
    public readonly int StatusBytes;
    public readonly int SourceAt;
    public readonly int TagAt;
    public readonly int ErrorAt;

    /// <summary>The length in bytes, as far as a message can have one: the lower 32 bits, which both kinds of library keep in one place.</summary>
    public readonly int CountAt;

    private AbiLayout(MpiAbi abi, Func<string, nint> symbol)
    {
        Abi = abi;
        if (abi == MpiAbi.OpenMpi)
        {
            // typedef struct { int MPI_SOURCE, MPI_TAG, MPI_ERROR, _cancelled; size_t _ucount; } MPI_Status;
            (HandleBytes, AnySource, ErrorInStatus) = (8, -1, 18);
            (StatusBytes, SourceAt, TagAt, ErrorAt, CountAt) = (24, 0, 4, 8, 16);
            World = symbol("ompi_mpi_comm_world");
            Self = symbol("ompi_mpi_comm_self");
            Byte = symbol("ompi_mpi_byte");
            ErrorsReturn = symbol("ompi_mpi_errors_return");
            RequestNull = symbol("ompi_request_null");
        }
        else
        {
            // typedef struct { int count_lo, count_hi_and_cancelled, MPI_SOURCE, MPI_TAG, MPI_ERROR; } MPI_Status;
            (HandleBytes, AnySource, ErrorInStatus) = (4, -2, 17);
            (StatusBytes, SourceAt, TagAt, ErrorAt, CountAt) = (20, 8, 12, 16, 0);
            World = 0x44000000;
            Self = 0x44000001;
            Byte = 0x4c00010d;
            ErrorsReturn = 0x54000001;
            RequestNull = 0x2c000000;
        }
    }

    public static AbiLayout Mpich() => new(MpiAbi.Mpich, static _ => 0);

    /// <summary>The layout, or null and the names of the handles that the library does not export.</summary>
    public static AbiLayout? OpenMpi(nint library, out IReadOnlyList<string> missing)
    {
        var absent = new List<string>();
        var layout = new AbiLayout(MpiAbi.OpenMpi, name =>
        {
            var address = DynamicLoader.Symbol(library, name);
            if (address == 0)
                absent.Add(name);
            return address;
        });
        missing = absent;
        return absent.Count == 0 ? layout : null;
    }
}
