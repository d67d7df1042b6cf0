namespace FuncX.Mpi.Loading;

/// <summary>A library to try.</summary>
/// <param name="Name">As dlopen takes it.</param>
/// <param name="Origin">Why it is tried, for the error.</param>
internal readonly record struct LibraryCandidate(string Name, string Origin);
