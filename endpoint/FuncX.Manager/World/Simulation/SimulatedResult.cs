using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>A result that no Ack has covered.</summary>
/// <param name="Task">What it answers.</param>
/// <param name="Outcome">A value, or cancelled.</param>
/// <param name="Started">Unix microseconds.</param>
/// <param name="Ended">Unix microseconds.</param>
/// <param name="Mark">That ends its batch; 0: it was not sent yet.</param>
internal readonly record struct SimulatedResult(SimulatedTask Task, TaskOutcome Outcome, long Started, long Ended, ulong Mark)
{
    public const int Bytes = FrameHeader.Size + ResultPrefix.Size;

    public void Write(Span<byte> output)
    {
        var header = Task.Header;
        header.Kind = FrameKind.Result;
        header.Flags = FrameFlags.None;
        header.ContentType = ContentType.None;
        header.WalltimeMilliseconds = 0;
        header.DeadlineMicroseconds = 0;
        header.Priority = 0;
        header.BodyLength = ResultPrefix.Size;
        header.Write(output);
        new ResultPrefix { Outcome = Outcome, ManagerReceived = Task.Received, WorkerStarted = Started, WorkerEnded = Ended }.Write(output[FrameHeader.Size..]);
    }
}
