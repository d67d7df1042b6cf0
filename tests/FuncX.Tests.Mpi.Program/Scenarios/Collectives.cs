using System.Diagnostics;
using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

internal static class Collectives
{
    /// <summary>Each rank is the root once, of each size.</summary>
    public static string Broadcast(MpiRuntime mpi)
    {
        foreach (var bytes in (int[])[0, 1, 64 * 1024, 5 * 1024 * 1024])
        {
            for (var root = 0; root < mpi.World.Size; root++)
            {
                using var body = mpi.Buffers.Rent(bytes);
                body.Span.Fill(0xEE);
                if (mpi.World.Rank == root)
                    Pattern.Fill(body.Span, root + bytes);
                mpi.World.Broadcast(body.Span, root);
                Pattern.Verify(body.Span, root + bytes);
            }
        }

        return "right";
    }

    /// <summary>When this rank came and when it left, by the clock that all ranks of a machine share. The test compares them.</summary>
    public static string Barrier(MpiRuntime mpi)
    {
        if (mpi.World.Rank == mpi.World.Size - 1)
            Thread.Sleep(100);
        var came = Stopwatch.GetTimestamp();
        mpi.World.Barrier();
        return $"{came} {Stopwatch.GetTimestamp()}";
    }
}
