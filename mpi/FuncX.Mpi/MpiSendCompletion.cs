namespace FuncX.Mpi;

/// <summary>The end of a nonblocking send.</summary>
/// <param name="Id">As <see cref="MpiCommunicator.TryStartSend"/> gave it.</param>
/// <param name="Error">0, or MPI's error code; <see cref="MpiRuntime.ErrorText"/> has its text.</param>
public readonly record struct MpiSendCompletion(MpiSendId Id, int Error)
{
    /// <summary>
    /// Whether the library took the message for good. Its memory is free either way. It does not say that anybody received it: a send to a rank
    /// that has died may well succeed.
    /// </summary>
    public bool Succeeded => Error == 0;
}
