using System.Runtime.CompilerServices;
using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

internal static class Faults
{
    /// <summary>The runtime learns of a null reference by SIGSEGV. Twice: a handler may be taken away by the first.</summary>
    public static string NullReference(MpiRuntime mpi)
    {
        for (var i = 0; i < 2; i++)
            Check.Throws<NullReferenceException>(static () => Touch(null!));
        return "caught";
    }

    /// <summary>The last rank aborts while the others wait for it.</summary>
    public static string Abort(MpiRuntime mpi)
    {
        // So that every rank has begun its report.
        mpi.World.Barrier();
        if (mpi.World.Rank == mpi.World.Size - 1)
            mpi.World.Abort(23);
        mpi.World.Barrier();
        return "the barrier was passed without all ranks";
    }

    private sealed class Box
    {
        public int Value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Touch(Box box) => box.Value++;
}
