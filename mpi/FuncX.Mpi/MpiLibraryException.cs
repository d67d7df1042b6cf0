namespace FuncX.Mpi;

/// <summary>No usable libmpi: none was found, the one that was named is none, or it failed the test that follows MPI_Init.</summary>
public sealed class MpiLibraryException : Exception
{
    internal MpiLibraryException(string message, IReadOnlyList<MpiLibraryAttempt> tried)
        : base(message) => Tried = tried;

    /// <summary>Every library that was tried, in order. The message says the same in words.</summary>
    public IReadOnlyList<MpiLibraryAttempt> Tried { get; }
}
