using FuncX.Mpi.Interop;

namespace FuncX.Mpi.Loading;

/// <summary>A libmpi that is mapped into the process, with its functions and its layout. MPI is not initialised yet.</summary>
internal sealed record LoadedLibrary(MpiLibrary Library, MpiCalls Calls, AbiLayout Layout);
