using FuncX.Mpi;

namespace FuncX.Manager.World.Functions;

/// <summary>
/// The message that a piece of a function travels in, prefix and all. It goes on from the memory that it came into, to however many ranks, and is freed with the last who uses it. The MPI
/// thread's alone.
/// </summary>
internal sealed class FunctionPiece(MpiBuffer message) : IDisposable
{
    private int _users = 1;

    public ReadOnlyMemory<byte> Message => message.Memory;

    public ReadOnlySpan<byte> Body => message.Span[FunctionPrefix.Size..];

    /// <summary>What it takes of memory.</summary>
    public int Capacity => message.Capacity;

    /// <summary>For one user more, who disposes it.</summary>
    public FunctionPiece Use()
    {
        _users++;
        return this;
    }

    public void Dispose()
    {
        if (--_users == 0)
            message.Dispose();
    }
}
