using System.Buffers.Binary;
using FuncX.Contracts.V1;
using FuncX.Definitions;
using FuncX.Endpoint.Core;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// What one link brings: it keeps that link's numbers of functions and owners, and turns task frames into tasks of the core. Frames stay where they came in; their
/// numbers are rewritten in place. On the loop only. Measured by: bench engine.
/// </summary>
internal sealed class LinkIntake(Dispatcher dispatcher, CodeTable code, HopCounter hops)
{
    private const long LargestTask = 1L << 30;

    private readonly Dictionary<uint, LinkedFunction> _functions = [];
    private readonly Dictionary<uint, int> _owners = [];
    private readonly Dictionary<TaskId, PartialTask> _partial = [];
    private uint _lastFunction;
    private LinkedFunction _lastFunctionNumber;
    private uint _lastOwner;
    private int _lastOwnerNumber;

    /// <summary>Tasks and bytes of frames that came over this link.</summary>
    public long Tasks { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>Of the tasks, those that ended as they came.</summary>
    public long Rejected { get; private set; }

    /// <exception cref="FrameException">What it requires cannot be read.</exception>
    public void OnFunction(LinkFunction function)
    {
        try
        {
            _functions[function.Number] = new LinkedFunction(code.NumberOf(function), dispatcher.Core.Requirements.NumberOf(function.Requires), WalltimeOf(function), function.Container);
        }
        catch (FormatException problem)
        {
            throw new FrameException($"function {function.FunctionId}: {problem.Message}");
        }
    }

    // Of a command: milliseconds after which it ends by its own definition, 0 never.
    private static uint WalltimeOf(LinkFunction function)
    {
        if (function.Kind != "command")
            return 0;
        try
        {
            return (uint)Math.Min(uint.MaxValue, Math.Ceiling(CommandDefinition.Read(function.Code.Memory).Walltime?.TotalMilliseconds ?? 0));
        }
        catch (DefinitionException)
        {
            // Its worker says so to whoever calls it.
            return 0;
        }
    }

    public void OnOwner(LinkOwner owner) => _owners[owner.Number] = code.NumberOf(owner);

    /// <summary>Takes the tasks of one message.</summary>
    /// <exception cref="FrameException">The service sent what no version of the protocol means.</exception>
    public void OnTasks(in FrameSlice message)
    {
        var bytes = message.Buffer.Array;
        var end = message.Offset + message.Length;
        Bytes += message.Length;
        hops.TaskBytesReceived += message.Length;
        for (var at = message.Offset; at < end;)
        {
            if (!FrameReader.TryRead(bytes.AsSpan(at, end - at), out var header, out var length))
                throw new FrameException($"a tasks message ends within a frame, {end - at} bytes before its end");
            var frame = new FrameSlice(message.Buffer, at, length);
            at += length;
            if (header.Kind == FrameKind.Segment)
                ContinueLarge(header, frame);
            else if (header.Kind != FrameKind.Task)
                throw new FrameException($"a tasks message holds a {header.Kind} frame");
            else if ((header.Flags & FrameFlags.Segmented) != 0)
                BeginLarge(header, frame);
            else
                Accept(header, frame, length, rest: null);
        }
    }

    /// <summary>The link is over: halves of large tasks are dropped, the service sends them again whole.</summary>
    public void Close()
    {
        foreach (var partial in _partial.Values)
            partial.Release();
        _partial.Clear();
    }

    private void Accept(in FrameHeader header, in FrameSlice frame, int bytes, FrameSlice[]? rest)
    {
        var (function, requirement, walltime, container) = FunctionOf(header.Function);
        var owner = OwnerOf(header.Owner);
        Tasks++;
        hops.TasksReceived++;
        if (container is not null)
        {
            // Without it would be another environment than the one its owner has tried it in.
            Rejected++;
            dispatcher.RejectContainer(header, container);
            foreach (var piece in rest ?? [])
                piece.Buffer.Release();
            return;
        }

        var ticket = dispatcher.Core.OnTask(
            new TaskArrival
            {
                Task = header.Task,
                Attempt = header.Attempt,
                Priority = header.Priority,
                Alone = (header.Flags & FrameFlags.Alone) != 0,
                Epoch = header.Epoch,
                ServiceTicket = header.Ticket,
                Function = function,
                Owner = owner,
                Bytes = bytes,
                Deadline = header.DeadlineMicroseconds,
                Walltime = Shortest(header.WalltimeMilliseconds, walltime),
                Requirement = requirement,
            },
            dispatcher.Now);
        Rewrite(frame, function, owner, ticket);
        if (rest is not null)
        {
            foreach (var piece in rest)
                Rewrite(piece, function, owner, ticket);
        }

        frame.Buffer.Retain();
        dispatcher.KeepPayload(ticket, frame, rest);
    }

    // What a task may take at most is known when it or its function says so; the endpoint's own limit says nothing of how long tasks are.
    private uint Shortest(uint own, uint function)
    {
        var shortest = own == 0 || function == 0 ? Math.Max(own, function) : Math.Min(own, function);
        return dispatcher.TaskWalltime > 0 ? Math.Min(shortest, dispatcher.TaskWalltime) : shortest;
    }

    private static void Rewrite(in FrameSlice frame, int function, int owner, int ticket)
    {
        var header = frame.Buffer.Array.AsSpan(frame.Offset, FrameHeader.Size);
        BinaryPrimitives.WriteInt32LittleEndian(header[FrameHeader.FunctionOffset..], function);
        BinaryPrimitives.WriteInt32LittleEndian(header[FrameHeader.OwnerOffset..], owner);
        BinaryPrimitives.WriteInt32LittleEndian(header[FrameHeader.DestinationOffset..], 0);
        BinaryPrimitives.WriteInt32LittleEndian(header[FrameHeader.TicketOffset..], ticket);
    }

    private LinkedFunction FunctionOf(uint number)
    {
        if (_lastFunctionNumber.Function != 0 && number == _lastFunction)
            return _lastFunctionNumber;
        if (!_functions.TryGetValue(number, out var own))
            throw new FrameException($"a task refers to function {number}, of which this link was not told");
        (_lastFunction, _lastFunctionNumber) = (number, own);
        return own;
    }

    private int OwnerOf(uint number)
    {
        if (_lastOwnerNumber != 0 && number == _lastOwner)
            return _lastOwnerNumber;
        if (!_owners.TryGetValue(number, out var own))
            throw new FrameException($"a task refers to owner {number}, of whom this link was not told");
        (_lastOwner, _lastOwnerNumber) = (number, own);
        return own;
    }

    private void BeginLarge(in FrameHeader header, in FrameSlice frame)
    {
        if (header.BodyLength != FrameHeader.MaxBody)
            throw new FrameException($"the first frame of segmented task {header.Task} has a body of {header.BodyLength} bytes; it should have {FrameHeader.MaxBody}");
        var whole = BinaryPrimitives.ReadInt64LittleEndian(frame.Span[FrameHeader.Size..]);
        if (whole <= FrameHeader.MaxBody || whole > LargestTask)
            throw new FrameException($"segmented task {header.Task} of {whole} bytes is outside {FrameHeader.MaxBody + 1} to {LargestTask}");
        if (_partial.Remove(header.Task, out var older))
            older.Release();
        frame.Buffer.Retain();
        _partial.Add(header.Task, new PartialTask(header, frame, whole));
    }

    private void ContinueLarge(in FrameHeader header, in FrameSlice frame)
    {
        if (!_partial.TryGetValue(header.Task, out var partial))
            throw new FrameException($"a segment of task {header.Task} came without its first frame");
        partial.Add(frame, header.BodyLength);
        if (!Segments.AreAll(header, partial.Bytes, partial.WholeBytes))
            return;
        _partial.Remove(header.Task);
        Accept(partial.Header, partial.First, partial.FrameBytes, [.. partial.Rest]);

        // The payload took its own reference to the first frame, and over those of the rest.
        partial.First.Buffer.Release();
    }
}
