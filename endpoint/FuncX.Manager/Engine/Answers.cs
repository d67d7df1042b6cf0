using System.Buffers.Binary;
using System.Text.Json;
using FuncX.Manager.Link;
using FuncX.Manager.Workers;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>
/// Writes what ends a task here into the outbox and frees its slot: results copied once from where the worker put them, and outcomes that
/// the manager itself decides. Benchmark: throughput.
/// </summary>
internal sealed class Answers(TaskTable table, ResultOutbox outbox)
{
    /// <summary>A worker's result as it is, but for the fields that are the endpoint's or the manager's.</summary>
    /// <param name="slot">Its task.</param>
    /// <param name="head">Header and prefix, checked.</param>
    /// <param name="rest">Value and output.</param>
    public void Forward(int slot, ReadOnlySpan<byte> head, ReadOnlySpan<byte> rest)
    {
        var output = outbox.Result(head.Length + rest.Length);
        head.CopyTo(output);
        rest.CopyTo(output[head.Length..]);
        ref var task = ref table[slot];
        BinaryPrimitives.WriteUInt32LittleEndian(output[FrameHeader.FunctionOffset..], task.FunctionNumber);
        BinaryPrimitives.WriteUInt32LittleEndian(output[FrameHeader.TicketOffset..], task.Ticket);
        BinaryPrimitives.WriteInt64LittleEndian(output[(FrameHeader.Size + ResultPrefix.ManagerReceivedOffset)..], task.ReceivedMicroseconds);
        table.Remove(slot);
    }

    /// <summary>A result that came in segments: its frames as they are, with their headers.</summary>
    public void Forward(int slot, JoinedResult joined)
    {
        ref var task = ref table[slot];
        var header = ResultHeader(ref task);
        header.ContentType = (ContentType)joined.Header[FrameHeader.ContentTypeOffset];
        BinaryPrimitives.WriteInt64LittleEndian(joined.Prefix[ResultPrefix.ManagerReceivedOffset..], task.ReceivedMicroseconds);
        var frames = joined.TakeFrames(header);
        outbox.AddLarge(frames, frames.Length);
        table.Remove(slot);
    }

    /// <summary>A result with output that came through the pipes appended to what the worker had collected itself.</summary>
    /// <param name="slot">Its task.</param>
    /// <param name="content">Of its frame.</param>
    /// <param name="prefix">Of the worker's result.</param>
    /// <param name="rest">Value and output.</param>
    /// <param name="stdout">More of it.</param>
    /// <param name="stderr">More of it.</param>
    public void ForwardWithOutput(int slot, ContentType content, ResultPrefix prefix, ReadOnlySpan<byte> rest, ReadOnlySpan<byte> stdout, ReadOnlySpan<byte> stderr)
    {
        var header = ResultHeader(ref table[slot]);
        header.ContentType = content;
        var value = rest[..^(prefix.StdoutBytes + prefix.StderrBytes)];
        var body = new byte[ResultPrefix.Size + rest.Length + stdout.Length + stderr.Length];
        var at = ResultPrefix.Size;
        Put(value, body, ref at);
        Put(rest.Slice(value.Length, prefix.StdoutBytes), body, ref at);
        Put(stdout, body, ref at);
        Put(rest.Slice(value.Length + prefix.StdoutBytes, prefix.StderrBytes), body, ref at);
        Put(stderr, body, ref at);
        prefix.StdoutBytes += stdout.Length;
        prefix.StderrBytes += stderr.Length;
        Write(slot, header, prefix, body);
    }

    /// <summary>An outcome that is not a value; <paramref name="code"/> is the worker's exit status or minus its signal.</summary>
    public void Failure(int slot, TaskOutcome outcome, int code, string type, string message, ReadOnlySpan<byte> stdout = default, ReadOnlySpan<byte> stderr = default) =>
        Failure(slot, FrameFlags.None, outcome, code, type, message, stdout, stderr);

    /// <summary>The node ends, and the task with it.</summary>
    public void CutOff(int slot, string message, ReadOnlySpan<byte> stdout, ReadOnlySpan<byte> stderr) =>
        Failure(slot, FrameFlags.CutOff, TaskOutcome.AttemptLost, 0, "CutOff", message, stdout, stderr);

    private void Failure(int slot, FrameFlags flags, TaskOutcome outcome, int code, string type, string message, ReadOnlySpan<byte> stdout, ReadOnlySpan<byte> stderr)
    {
        ref var task = ref table[slot];
        var value = JsonSerializer.SerializeToUtf8Bytes(new FailureBody(type, message), MessageJson.Default.FailureBody);
        var header = ResultHeader(ref task);
        header.ContentType = ContentType.Json;
        header.Flags = flags;
        var body = new byte[ResultPrefix.Size + value.Length + stdout.Length + stderr.Length];
        var at = ResultPrefix.Size;
        Put(value, body, ref at);
        Put(stdout, body, ref at);
        Put(stderr, body, ref at);
        var prefix = new ResultPrefix
        {
            Outcome = outcome,
            ContentType = ContentType.Json,
            Code = (short)code,
            StdoutBytes = stdout.Length,
            StderrBytes = stderr.Length,
        };
        Write(slot, header, prefix, body);
    }

    public void Expired(int slot) =>
        Failure(slot, TaskOutcome.Expired, 0, "Expired", $"its deadline passed {(Clock.UnixMicroseconds - table[slot].DeadlineMicroseconds) / 1e6:F3} s ago, before a worker was free");

    public void Cancelled(int slot) => Failure(slot, TaskOutcome.Cancelled, 0, "Cancelled", "cancelled before it started");

    /// <summary>Gives a task back that has not started and never will here.</summary>
    public void Returned(int slot)
    {
        ref var task = ref table[slot];
        var header = FrameHeader.Read(task.Slab!.GetSpan()[task.Offset..]);
        header.Kind = FrameKind.Returned;
        header.Flags = FrameFlags.None;
        header.ContentType = ContentType.None;
        header.Function = task.FunctionNumber;
        header.Ticket = task.Ticket;
        header.BodyLength = 0;
        outbox.Control(header, default);
        table.Remove(slot);
    }

    private static void Put(ReadOnlySpan<byte> part, byte[] body, ref int at)
    {
        part.CopyTo(body.AsSpan(at));
        at += part.Length;
    }

    // From what the endpoint sent, not from what the worker says the task was.
    private static FrameHeader ResultHeader(ref TaskRecord task)
    {
        var header = FrameHeader.Read(task.Slab!.GetSpan()[task.Offset..]);
        header.Kind = FrameKind.Result;
        header.Flags = FrameFlags.None;
        header.WalltimeMilliseconds = 0;
        header.DeadlineMicroseconds = 0;
        header.Priority = 0;
        header.Function = task.FunctionNumber;
        header.Ticket = task.Ticket;
        return header;
    }

    private void Write(int slot, FrameHeader header, ResultPrefix prefix, Span<byte> body)
    {
        ref var task = ref table[slot];
        header.BodyLength = body.Length;
        prefix.ManagerReceived = task.ReceivedMicroseconds;
        prefix.Write(body);
        if (body.Length <= FrameHeader.MaxBody)
        {
            var output = outbox.Result(header.FrameLength);
            header.Write(output);
            body.CopyTo(output[FrameHeader.Size..]);
        }
        else
        {
            FrameWriter.WriteSegmented(outbox.Large(FrameWriter.SegmentedBytes(body.Length)), header, body);
        }

        table.Remove(slot);
    }
}
