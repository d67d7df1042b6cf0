using FuncX.Manager.Commands;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>
/// What one worker answers about its tasks, checked and with the output that came through its pipes; and what is answered for it about those that end with it. Benchmark: throughput.
/// </summary>
internal sealed class WorkerAnswers(Node node, WorkerProcess worker, SentTasks sent, WorkerMemory? memory, Verdict verdict)
{
    private const long LeastKillMicroseconds = 5_000;

    private bool _any;
    private bool _served;

    /// <summary>Whether there were any since this was last asked.</summary>
    public bool TakeNews()
    {
        var any = _any;
        _any = false;
        return any;
    }

    /// <summary>Takes all that a ring holds.</summary>
    /// <exception cref="FrameException">It holds what is no result, or answers a task that this worker does not have.</exception>
    public void Read(ResultRing ring)
    {
        while (ring.TryRead(out var frame))
        {
            OnResult(frame);
            ring.Advance(frame.Length);
        }

        if (_any)
            ring.Release();
    }

    /// <summary>A whole result in one frame, from the ring or the socket.</summary>
    /// <exception cref="FrameException">It is none, or answers a task that this worker does not have.</exception>
    public void OnResult(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < ResultFrame.HeadBytes)
            throw new FrameException($"a result of {frame.Length} bytes; its header and prefix alone have {ResultFrame.HeadBytes}");

        // The ring is the worker's memory too: what was checked must be what travels on, so it is copied before.
        Span<byte> head = stackalloc byte[ResultFrame.HeadBytes];
        frame[..ResultFrame.HeadBytes].CopyTo(head);
        var prefix = head[FrameHeader.Size..];
        ResultFrame.CheckWhole(head, frame.Length);
        var slot = Settle(head, prefix, frame.Length - FrameHeader.Size);
        if (Overruled(slot, prefix, frame[ResultFrame.HeadBytes..]))
            return;
        if (worker.Stdout.Any || worker.Stderr.Any)
            ForwardWithOutput(slot, head, prefix, frame[ResultFrame.HeadBytes..]);
        else
            node.Answers.Forward(slot, head, frame[ResultFrame.HeadBytes..]);
    }

    /// <summary>A result that came in segments.</summary>
    /// <exception cref="FrameException">It answers a task that this worker does not have.</exception>
    public void OnJoined(JoinedResult joined)
    {
        var slot = Settle(joined.Header, joined.Prefix, joined.Bytes);
        if (!IsJudged(slot, joined.Prefix) && !IsInterrupted(joined.Prefix) && !worker.Stdout.Any && !worker.Stderr.Any)
        {
            node.Answers.Forward(slot, joined);
            return;
        }

        // What is rare is copied.
        var body = joined.Copy();
        if (!Overruled(slot, body, body.AsSpan(ResultPrefix.Size)))
            ForwardWithOutput(slot, joined.Header, body.AsSpan(0, ResultPrefix.Size), body.AsSpan(ResultPrefix.Size));
    }

    /// <summary>When the kernel has killed something for want of memory, it was this task's.</summary>
    public void JudgeKill(int slot)
    {
        if (memory?.TakeKill() is { } killed)
            verdict.Pass(slot, TaskOutcome.Exception, WorkerMemory.Failure, TextOf(killed));
    }

    /// <summary>What the task's user is told of memory that it took.</summary>
    public string TextOf(string excess) => $"worker {worker.Pid} on node {node.Name} {excess}";

    /// <summary>The worker is gone: what it had not begun goes back into the queue, and the rest is answered for it.</summary>
    /// <param name="started">How many tasks it had taken up.</param>
    /// <param name="exit">Its exit code, or signal; null: not known.</param>
    /// <param name="fault">What it did wrong; null: nothing that is known.</param>
    public void OnGone(ulong started, int? exit, string? fault)
    {
        for (var number = sent.Next; number-- > sent.Begin;)
        {
            var slot = sent.SlotOf(number);
            if (slot < 0)
                continue;
            if (number >= started)
                worker.Pool.Queue.AddFirst(slot);
            else if (slot == verdict.Slot)
                node.Answers.Failure(slot, verdict.Outcome, exit ?? 0, verdict.Type, verdict.Text, worker.Stdout.Take(), worker.Stderr.Take());
            else if (node.CutsOff || (node.IsToldToEnd && (exit is not { } code || ProcessEnding.IsOfTerm(code))))
                node.Answers.CutOff(slot, node.ToldToEnd, worker.Stdout.Take(), worker.Stderr.Take());
            else
                node.Answers.Failure(slot, TaskOutcome.AttemptLost, exit ?? 0, "WorkerLost", Obituary(exit, fault), worker.Stdout.Take(), worker.Stderr.Take());
        }
    }

    private string Obituary(int? exit, string? fault) => $"worker {worker.Pid} on node {node.Name} died {ExitText.Of(exit)} while it ran the task{(fault is null ? "" : $"; {fault}")}";

    // What came through the pipes belongs to this task, together with what the worker collected itself.
    private void ForwardWithOutput(int slot, ReadOnlySpan<byte> header, ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> rest)
    {
        node.Table[slot].Function!.WritesRawOutput = true;
        var read = ResultPrefix.Read(prefix, ResultPrefix.Size + rest.Length);
        var content = (ContentType)header[FrameHeader.ContentTypeOffset];
        node.Answers.ForwardWithOutput(slot, content, read, rest, worker.Stdout.Take(read.StdoutBytes), worker.Stderr.Take(read.StderrBytes));
    }

    private int Settle(ReadOnlySpan<byte> header, ReadOnlySpan<byte> prefix, long bodyBytes)
    {
        var ticket = ResultFrame.Ticket(header);
        if (!node.Table.Holds(ticket) || node.Table[(int)ticket].Worker != worker || node.Table[(int)ticket].Id != ResultFrame.Task(header)
            || node.Table[(int)ticket].Attempt != ResultFrame.Attempt(header))
        {
            throw new FrameException($"result for attempt {ResultFrame.Attempt(header)} of task {ResultFrame.Task(header)}, which worker {worker.Pid} does not have");
        }

        ResultFrame.Check(prefix, bodyBytes);
        var slot = (int)ticket;
        _any = true;
        if (!_served)
        {
            _served = true;
            worker.Pool.OnServed();
        }

        node.Hops.ResultsFromWorkers++;
        node.Hops.ResultBytesReceived += FrameHeader.Size + bodyBytes;
        node.Table[slot].Function!.Observe(ResultFrame.Microseconds(prefix));
        sent.Remove(slot);
        return slot;
    }

    // It was told to end, or something of it was killed.
    private bool IsJudged(int slot, ReadOnlySpan<byte> prefix)
    {
        // What the kernel killed may be something that the task started, a command above all. That takes a while: the shortest tasks are not looked after.
        if (slot != verdict.Slot && memory is not null && ResultFrame.Microseconds(prefix) > LeastKillMicroseconds)
            JudgeKill(slot);
        return slot == verdict.Slot;
    }

    // A task that was told to end and raised because of it has the outcome it was ended for, and the output that it had until then.
    private bool Overruled(int slot, ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> rest)
    {
        if (!IsJudged(slot, prefix))
            return IsInterrupted(prefix) && Interrupted(slot, prefix, rest);
        verdict.Clear();
        var read = ResultPrefix.Read(prefix, ResultPrefix.Size + rest.Length);
        if (read.Outcome == TaskOutcome.Value && verdict.Type != WorkerMemory.Failure)
            return false;
        if (read.Outcome == TaskOutcome.Value && worker.Pool.Kind == WorkerKind.Command)
        {
            var (said, wrote) = CommandReport.ReadOutput(rest);
            node.Answers.Failure(slot, verdict.Outcome, 0, verdict.Type, verdict.Text, said, wrote);
            return true;
        }

        var (written, complained) = Output(read, rest);
        node.Answers.Failure(slot, verdict.Outcome, 0, verdict.Type, verdict.Text, written, complained);
        return true;
    }

    // Told to end by another than its manager: by who ends the whole job, as Slurm does with every process of a step, and not by what the task did. A worker of Python says the same of a
    // task that it never began.
    private bool IsInterrupted(ReadOnlySpan<byte> prefix) => worker.Pool.Kind != WorkerKind.Python && ResultFrame.Outcome(prefix) == TaskOutcome.Cancelled;

    private bool Interrupted(int slot, ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> rest)
    {
        var (written, complained) = Output(ResultPrefix.Read(prefix, ResultPrefix.Size + rest.Length), rest);
        node.Interrupted.Add(slot, worker.Pid, written, complained, NodeTimer.Now);
        return true;
    }

    // What the worker collected and what came through the pipes.
    private (byte[] Stdout, byte[] Stderr) Output(in ResultPrefix read, ReadOnlySpan<byte> rest)
    {
        var output = rest[^(read.StdoutBytes + read.StderrBytes)..];
        return ([.. output[..read.StdoutBytes], .. worker.Stdout.Take(read.StdoutBytes)], [.. output[read.StdoutBytes..], .. worker.Stderr.Take(read.StderrBytes)]);
    }
}
