using System.Diagnostics.CodeAnalysis;
using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>A result that no Ack has covered.</summary>
/// <param name="task">What it answers.</param>
/// <param name="outcome">A value, or cancelled.</param>
/// <param name="started">Unix microseconds.</param>
/// <param name="ended">Unix microseconds.</param>
internal struct SimulatedResult(in SimulatedTask task, TaskOutcome outcome, long started, long ended)
{
    public readonly SimulatedTask Task = task;

    /// <summary>That ends its batch; 0: it was not sent yet.</summary>
    public ulong Mark;

    /// <summary>Of its frame.</summary>
    public readonly int Bytes => FrameHeader.Size + ResultPrefix.Size + Value.Length;

    [UnscopedRef]
    private readonly ReadOnlySpan<byte> Value => outcome == TaskOutcome.Value ? Task.Value : default;

    public readonly void Write(Span<byte> output)
    {
        var type = Value.IsEmpty ? ContentType.None : Task.Header.ContentType;
        var header = Task.Header;
        header.Kind = FrameKind.Result;
        header.Flags = FrameFlags.None;
        header.ContentType = ContentType.None;
        header.WalltimeMilliseconds = 0;
        header.DeadlineMicroseconds = 0;
        header.Priority = 0;
        header.BodyLength = ResultPrefix.Size + Value.Length;
        header.Write(output);
        new ResultPrefix { Outcome = outcome, ContentType = type, ManagerReceived = Task.Received, WorkerStarted = started, WorkerEnded = ended }.Write(output[FrameHeader.Size..]);
        Value.CopyTo(output[(FrameHeader.Size + ResultPrefix.Size)..]);
    }
}
