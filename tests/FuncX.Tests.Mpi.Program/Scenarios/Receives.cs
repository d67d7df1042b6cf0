using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

/// <summary>Every rank sends small and large messages to the next one, which starts to receive all of them before it looks whether any is there.</summary>
internal static class Receives
{
    private const int Messages = 40;

    public static string Run(MpiRuntime mpi)
    {
        var world = mpi.World;
        for (var number = 0; number < Messages; number++)
        {
            var body = new byte[number % 2 == 0 ? 300_000 + number : 8];
            Pattern.Fill(body, (world.Rank * Messages) + number);
            Check.That(world.TryStartSend(body, (world.Rank + 1) % world.Size, 8, out _), "no room for a send");
        }

        var source = (world.Rank + world.Size - 1) % world.Size;
        var started = new Dictionary<MpiSendId, (int Number, byte[] Body)>();
        var finished = new MpiSendCompletion[16];
        var disposed = 0;
        for (int number = 0, done = 0; done < Messages || mpi.Sends.Outstanding > 0;)
        {
            if (world.TryProbe(source, 8, out var message))
            {
                var body = new byte[message.Bytes];
                Check.That(world.TryStartReceive(message, body, out var id, new Owner(() => disposed++)), "no room for a receive");
                started.Add(id, (number++, body));
            }

            var count = mpi.Sends.Test(finished);
            foreach (var completion in finished.AsSpan(0, count))
            {
                Check.That(completion.Succeeded, "a send or receive failed");
                if (!started.Remove(completion.Id, out var received))
                    continue;
                Pattern.Verify(received.Body, (source * Messages) + received.Number);
                done++;
            }
        }

        Check.That(disposed == Messages, $"{disposed} owners of {Messages} receives were disposed");
        world.Barrier();
        return $"{Messages} messages";
    }

    private sealed class Owner(Action dispose) : IDisposable
    {
        public void Dispose() => dispose();
    }
}
