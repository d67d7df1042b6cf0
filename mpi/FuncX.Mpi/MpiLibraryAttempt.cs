namespace FuncX.Mpi;

/// <summary>One library that was tried and why it is not used.</summary>
/// <param name="Name">Path or name as it was given to the dynamic loader.</param>
/// <param name="Reason">The loader's text, or what is wrong with the library.</param>
public readonly record struct MpiLibraryAttempt(string Name, string Reason);
