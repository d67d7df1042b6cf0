using System.Buffers.Binary;
using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

/// <summary>
/// Every rank sends many messages from ordinary arrays, as many unfinished as allowed, while the garbage collector moves what it can. Nothing is
/// lost, every owner is disposed once, and a full table is an answer.
/// </summary>
internal static class ManySends
{
    private const int Messages = 400;

    public static string Run(MpiRuntime mpi)
    {
        var world = mpi.World;
        var random = new Random(world.Rank);
        var finished = new MpiSendCompletion[100];
        var seen = new HashSet<(int Source, int Number)>();
        int sent = 0, disposed = 0, completed = 0, refused = 0, most = 0;
        while (sent < Messages || seen.Count < Messages || mpi.Sends.Outstanding > 0)
        {
            while (sent < Messages && mpi.Sends.Outstanding <= mpi.Sends.Capacity)
            {
                var body = Body(world.Rank, sent, random);
                // In a row: each rank gets as many as it sends.
                if (!world.TryStartSend(body, (world.Rank + sent) % world.Size, 7, out var id, new Owner(() => disposed++)))
                {
                    refused++;
                    break;
                }

                Check.That(id.Slot >= 0 && id.Slot < mpi.Sends.Capacity, $"slot {id.Slot}");
                sent++;
                most = Math.Max(most, mpi.Sends.Outstanding);
            }

            if (random.Next(8) == 0)
                GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
            while (world.TryProbe(MpiCommunicator.AnySource, 7, out var message))
                Receive(world, message, seen);
            var count = mpi.Sends.Test(finished.AsSpan(0, random.Next(finished.Length + 1)));
            completed += count;
            Check.That(finished.Take(count).All(static send => send.Succeeded), "a send failed");
        }

        Check.That(completed == Messages && disposed == Messages, $"{completed} completions and {disposed} owners of {Messages} sends");
        world.Barrier();
        return $"outstanding {most}; refused {refused > 0}; received {seen.Count}";
    }

    // rank, number, then a pattern. Every tenth is too large to be sent without its receiver.
    private static byte[] Body(int rank, int number, Random random)
    {
        var body = new byte[8 + (number % 10 == 9 ? 200_000 : random.Next(2000))];
        BinaryPrimitives.WriteInt32LittleEndian(body, rank);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), number);
        Pattern.Fill(body.AsSpan(8), (rank * Messages) + number);
        return body;
    }

    private static void Receive(MpiCommunicator world, MpiMessage message, HashSet<(int Source, int Number)> seen)
    {
        using var body = world.Receive(message);
        var source = BinaryPrimitives.ReadInt32LittleEndian(body.Span);
        var number = BinaryPrimitives.ReadInt32LittleEndian(body.Span[4..]);
        Check.That(source == message.Source, $"a message of rank {source} came as one of {message.Source}");
        Pattern.Verify(body.Span[8..], (source * Messages) + number);
        Check.That(seen.Add((source, number)), $"message {number} of rank {source} came twice");
    }

    private sealed class Owner(Action disposed) : IDisposable
    {
        public void Dispose() => disposed();
    }
}
