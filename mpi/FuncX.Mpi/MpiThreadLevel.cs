namespace FuncX.Mpi;

/// <summary>What the library allows threads to do (MPI standard, MPI_Init_thread). The numbers are those of both binary interfaces.</summary>
public enum MpiThreadLevel
{
    /// <summary>The process must have one thread only. <see cref="MpiRuntime.Initialize"/> refuses it: the runtime always has several.</summary>
    Single = 0,

    /// <summary>Many threads, and one of them calls MPI. What this binding asks for and keeps to, whatever is granted.</summary>
    Funneled = 1,

    /// <summary>Any thread may call, one at a time.</summary>
    Serialized = 2,

    /// <summary>Any thread may call at any time.</summary>
    Multiple = 3,
}
