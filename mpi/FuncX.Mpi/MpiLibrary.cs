namespace FuncX.Mpi;

/// <summary>The library that was loaded.</summary>
/// <param name="Path">The file, as the dynamic loader found it.</param>
/// <param name="Abi">Its binary interface.</param>
/// <param name="Version">What it says of itself (MPI_Get_library_version); may have several lines.</param>
public sealed record MpiLibrary(string Path, MpiAbi Abi, string Version);
