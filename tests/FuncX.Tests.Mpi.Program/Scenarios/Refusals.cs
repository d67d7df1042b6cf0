using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

/// <summary>What is answered with an exception, and that the next call works all the same.</summary>
internal static class Refusals
{
    public static string Errors(MpiRuntime mpi)
    {
        var world = mpi.World;
        var started = Check.Throws<MpiException>(() => world.TryStartSend(new byte[10], world.Size + 6, 3, out _));
        Check.That(mpi.Sends.Outstanding == 0, "a send that was refused is outstanding");
        var broadcast = Check.Throws<MpiException>(() => world.Broadcast(new byte[1], world.Size + 6));

        Check.That(mpi.Self.TryStartSend(new byte[100], 0, 4, out _), "no room");
        var truncated = Check.Throws<MpiException>(() => mpi.Self.Receive(new byte[10], 0, 4));
        Scenario.FinishSends(mpi);
        Check.That(mpi.ErrorText(truncated.Code) == truncated.Text, "the text of a code changed");
        StillWorks(mpi);
        return string.Join(" ## ", started.Message, broadcast.Message, truncated.Message);
    }

    public static string Misuse(MpiRuntime mpi)
    {
        var self = mpi.Self;
        Check.Throws<ArgumentOutOfRangeException>(() => self.TryStartSend(default, -1, 0, out _));
        Check.Throws<ArgumentOutOfRangeException>(() => self.Send(default, 0, -1));
        Check.Throws<ArgumentOutOfRangeException>(() => self.TryProbe(-2, 0, out _));
        Check.Throws<ArgumentOutOfRangeException>(() => mpi.Sends.Test(new MpiSendId(mpi.Sends.Capacity, 0)));

        Check.That(self.TryStartSend(new byte[100], 0, 4, out _), "no room");
        var unfinished = Check.Throws<InvalidOperationException>(mpi.FinalizeMpi).Message;
        var message = self.Probe(0, 4);
        var matched = Check.Throws<InvalidOperationException>(mpi.FinalizeMpi).Message;
        var small = Check.Throws<ArgumentException>(() => self.Receive(message, new byte[99])).Message;
        Check.That(self.Receive(message, new byte[101]) == 100, "length");
        var twice = Check.Throws<InvalidOperationException>(() => self.Receive(message)).Message;
        Check.Throws<InvalidOperationException>(() => self.Receive(default(MpiMessage)));
        Check.That(self.TryStartSend(default, 0, 8, out _), "no room");
        Check.That(self.Receive([], 0, 8) == new MpiEnvelope(0, 8, 0), "no bytes");
        Scenario.FinishSends(mpi);
        var again = Check.Throws<InvalidOperationException>(() => MpiRuntime.Initialize()).Message;
        StillWorks(mpi);
        return string.Join(" ## ", unfinished, matched, small, twice, again);
    }

    public static string OtherThread(MpiRuntime mpi)
    {
        var messages = new List<string>();
        Exception? unexpected = null;
        var other = new Thread(() =>
        {
            try
            {
                Check.That(!mpi.IsMpiThread && mpi.World.Size > 0, "properties");
                foreach (var call in Calls(mpi))
                    messages.Add(Check.Throws<InvalidOperationException>(call).Message);
                mpi.Buffers.Rent(10).Dispose();
            }
            catch (Exception problem)
            {
                unexpected = problem;
            }
        }) { Name = "stranger" };
        other.Start();
        other.Join();
        if (unexpected is not null)
            throw new InvalidOperationException("on the other thread", unexpected);
        StillWorks(mpi);
        return string.Join(" ## ", messages);
    }

    public static string AfterFinalize(MpiRuntime mpi)
    {
        mpi.FinalizeMpi();
        foreach (var call in Calls(mpi))
            Check.Throws<ObjectDisposedException>(call);
        Check.Throws<InvalidOperationException>(() => MpiRuntime.Initialize());
        return "refused";
    }

    private static Action[] Calls(MpiRuntime mpi)
    {
        var world = mpi.World;
        return
        [
            () => world.TryStartSend(default, 0, 0, out _),
            () => world.Send(default, 0, 0),
            () => world.TryProbe(0, 0, out _),
            () => world.Probe(0, 0),
            () => world.Receive([], 0, 0),
            () => world.Receive(default(MpiMessage), []),
            () => world.Receive(default),
            () => world.Broadcast([], 0),
            world.Barrier,
            () => world.Abort(1),
            () => mpi.Sends.Test([]),
            () => mpi.Sends.Test(default(MpiSendId)),
            () => mpi.ErrorText(1),
            mpi.FinalizeMpi,
        ];
    }

    private static void StillWorks(MpiRuntime mpi)
    {
        Check.That(mpi.Self.TryStartSend(new byte[] { 42 }, 0, 9, out _), "no room");
        var received = new byte[1];
        Check.That(mpi.Self.Receive(received, MpiCommunicator.AnySource, MpiCommunicator.AnyTag) == new MpiEnvelope(0, 9, 1) && received[0] == 42, "the next message");
        Scenario.FinishSends(mpi);
    }
}
