using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

/// <summary>The scenarios by name. Each runs on all ranks and returns what the test looks at.</summary>
internal static class Scenario
{
    public const int MaxOutstandingSends = 200;

    public static Func<MpiRuntime, string> Find(string name) => name switch
    {
        "identity" => Identity,
        "ring" => Ring.Run,
        "order" => ProbeOrder.Run,
        "sends" => ManySends.Run,
        "receives" => Receives.Run,
        "failing-send" => FailingSend.Run,
        "broadcast" => Collectives.Broadcast,
        "barrier" => Collectives.Barrier,
        "errors" => Refusals.Errors,
        "misuse" => Refusals.Misuse,
        "thread" => Refusals.OtherThread,
        "null" => Faults.NullReference,
        "abort" => Faults.Abort,
        "finalize" => Refusals.AfterFinalize,
        _ => throw new ArgumentException($"no scenario is called '{name}'"),
    };

    /// <summary>Asks about sends until all are finished and none has failed.</summary>
    public static void FinishSends(MpiRuntime mpi)
    {
        Span<MpiSendCompletion> finished = stackalloc MpiSendCompletion[16];
        while (mpi.Sends.Outstanding > 0)
        {
            foreach (var send in finished[..mpi.Sends.Test(finished)])
                Check.That(send.Succeeded, $"send {send.Id} failed: {send.Error}");
        }
    }

    private static string Identity(MpiRuntime mpi) =>
        $"{mpi.Library.Abi}; {mpi.ThreadLevel}; {mpi.ProcessorName}; {mpi.Library.Path}; {mpi.Self.Rank} of {mpi.Self.Size}; {mpi.Library.Version}";
}
