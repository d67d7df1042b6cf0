namespace FuncX.Mpi;

/// <summary>What can be chosen before MPI starts. Every default works.</summary>
public sealed record MpiOptions
{
    /// <summary>The environment variable that names the library when <see cref="Library"/> does not.</summary>
    public const string LibraryVariable = "FUNCX_MPI_LIBRARY";

    /// <summary>
    /// Path or name of libmpi as dlopen takes it. Left out: the value of <c>FUNCX_MPI_LIBRARY</c>, else the usual names, those of the MPI
    /// whose launcher started this process first. A library that is named is the only one tried.
    /// </summary>
    public string? Library { get; init; }

    /// <summary>How many nonblocking sends may be unfinished, 1 to 65,536; <see cref="MpiCommunicator.TryStartSend"/> answers false beyond.</summary>
    public int MaxOutstandingSends { get; init; } = 1024;

    /// <summary>How many bytes of free buffers the pool keeps per size, 0 to 1 GiB (at least one buffer of each size is kept).</summary>
    public int BufferBytesKept { get; init; } = 2 << 20;
}
