using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

/// <summary>Every rank sends to its right neighbour and receives from its left one, in each size, from and into pooled memory.</summary>
internal static class Ring
{
    private static readonly int[] Sizes = [0, 1, 64 * 1024, 5 * 1024 * 1024];

    public static string Run(MpiRuntime mpi)
    {
        var (rank, size) = (mpi.World.Rank, mpi.World.Size);
        var (left, right) = ((rank + size - 1) % size, (rank + 1) % size);
        for (var i = 0; i < Sizes.Length; i++)
        {
            var body = mpi.Buffers.Rent(Sizes[i]);
            Pattern.Fill(body.Span, Seed(rank, i));
            Check.That(mpi.World.TryStartSend(body.Memory, right, i, out var send, body), "no room for one send");

            MpiMessage message;
            while (!mpi.World.TryProbe(left, i, out message))
            {
            }

            Check.That(message.Envelope == new MpiEnvelope(left, i, Sizes[i]), $"unexpected {message}");
            using (var received = mpi.World.Receive(message))
                Pattern.Verify(received.Span, Seed(left, i));
            while (!mpi.Sends.Test(send))
            {
            }

            Check.That(mpi.Sends.Test(send), "a finished send is unfinished when asked again");
            Check.Throws<ObjectDisposedException>(() => _ = body.Span.Length);
        }

        return $"sizes {string.Join(' ', Sizes)}";
    }

    private static int Seed(int rank, int size) => (rank * 100) + size;
}
