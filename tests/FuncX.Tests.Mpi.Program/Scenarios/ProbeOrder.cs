using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

/// <summary>Messages with three tags from all ranks to rank 0, which takes them by tag in another order than they came.</summary>
internal static class ProbeOrder
{
    private const int PerTag = 10;

    public static string Run(MpiRuntime mpi)
    {
        var world = mpi.World;
        for (var number = 0; number < PerTag; number++)
        {
            for (var tag = 1; tag <= 3; tag++)
                Check.That(world.TryStartSend(new byte[] { (byte)number, (byte)tag, (byte)world.Rank }, 0, tag, out _), "no room for 30 sends");
        }

        if (world.Rank == 0)
        {
            foreach (var tag in (int[])[3, 1])
                Take(world, PerTag * world.Size, tag);
            Take(world, PerTag * world.Size, MpiCommunicator.AnyTag);
            Check.That(!world.TryProbe(MpiCommunicator.AnySource, MpiCommunicator.AnyTag, out _), "a message is left");
        }

        Scenario.FinishSends(mpi);
        world.Barrier();
        return $"{PerTag * 3 * world.Size} messages";
    }

    private static void Take(MpiCommunicator world, int count, int tag)
    {
        var next = new Dictionary<int, int>();
        for (var i = 0; i < count; i++)
        {
            var message = world.Probe(MpiCommunicator.AnySource, tag);
            using var body = world.Receive(message);
            var (number, sentTag, source) = (body.Span[0], body.Span[1], body.Span[2]);
            Check.That(message.Tag == sentTag && message.Source == source && body.Length == 3, $"{message} has tag {sentTag} from {source} inside");
            Check.That(tag == MpiCommunicator.AnyTag ? sentTag == 2 : sentTag == tag, $"probed for tag {tag}, got {sentTag}");
            Check.That(next.GetValueOrDefault(source) == number, $"message {number} of rank {source} with tag {sentTag} came out of order");
            next[source] = number + 1;
        }
    }
}
