using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>
/// A worker's socket: gathers tasks where they lie into one sendmsg, keeps what the socket did not take, and takes frames off what comes.
/// Benchmark: throughput.
/// </summary>
internal sealed unsafe class WorkerSocket : IPollHandler
{
    /// <summary>Bytes of tasks in flight to one worker beyond the one it works on; a stream socket holds about 200 KiB.</summary>
    private const long AheadBytes = 96 * 1024;

    /// <summary>Most bytes of a large result that one turn takes: the node's other work waits for no more.</summary>
    private const long TurnBytes = 512 * 1024;

    /// <summary>Most bytes that one call takes when all is wanted: more than a socket holds, and an end for a worker that never stops writing.</summary>
    private const long DrainBytes = 4 << 20;

    // What reading took may have been another's turn.
    private const long LongestRestMicroseconds = 5_000;

    private readonly Node _node;
    private readonly WorkerProcess _worker;
    private readonly int _descriptor;
    private readonly ulong _key;
    private readonly Queue<Piece> _unsent = new();
    private readonly HashSet<uint> _functions = [];
    private byte[]? _partial;
    private int _partialLength;
    private JoinedResult? _joining;
    private long _restsUntil = long.MaxValue;
    private long _batchBytes;
    private bool _closed;

    private readonly record struct Piece(Slab Slab, nint Pointer, nuint Length);

    public WorkerSocket(Node node, WorkerProcess worker, int descriptor)
    {
        _node = node;
        _worker = worker;
        _descriptor = descriptor;
        _ = Libc.Fcntl(descriptor, Libc.F_SETFL, Libc.O_NONBLOCK);
        _key = node.Poller.Add(descriptor, Libc.EPOLLIN, this);
    }

    public bool Closed => _closed;

    /// <summary>When <see cref="OnTimer"/> has something to do.</summary>
    public long Due => _restsUntil;

    /// <summary>True while the worker has not taken what was sent.</summary>
    public bool Blocked => _closed || _unsent.Count > 0;

    /// <summary>May a frame of this size go ahead of its turn?</summary>
    public bool HasRoom(int bytes, int outstanding) => outstanding == 0 || (_batchBytes + bytes <= AheadBytes && _node.Gather.HasRoom);

    /// <summary>Tells the worker a function it does not know yet.</summary>
    public void Append(NodeFunction function)
    {
        if (_functions.Add(function.Number))
            _node.Gather.Add(function.Slab, function.Slab.Pointer, function.Slab.Capacity);
    }

    /// <summary>Was the worker told this function?</summary>
    public bool Knows(NodeFunction function) => _functions.Contains(function.Number);

    public void Append(Slab slab, int offset, int length)
    {
        _batchBytes += length;
        _node.Gather.Add(slab, slab.Pointer + offset, length);
    }

    /// <summary>Sends what was appended.</summary>
    public void Send()
    {
        FailPoints.Pass(FailPoint.BeforeWorkerSend);
        _batchBytes = 0;
        var gather = _node.Gather;
        var sent = gather.Count == 0 || Blocked ? 0 : gather.Send(_descriptor);
        for (var i = 0; i < gather.Count; i++)
        {
            var length = (nint)gather.Vectors[i].Length;
            if (sent >= length)
            {
                sent -= length;
                continue;
            }

            gather.Slabs[i]!.Retain();
            _unsent.Enqueue(new Piece(gather.Slabs[i]!, (nint)gather.Vectors[i].Base + sent, (nuint)(length - sent)));
            sent = 0;
        }

        gather.Clear();
        if (_unsent.Count > 0 && !_closed)
            Listen();
        FailPoints.Pass(FailPoint.AfterWorkerSend);
    }

    /// <summary>Sends a frame of the greeting.</summary>
    public void Control<T>(FrameKind kind, T message, JsonTypeInfo<T> type)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(message, type);
        var frame = new byte[FrameHeader.Size + body.Length];
        new FrameHeader { Kind = kind, BodyLength = body.Length }.Write(frame);
        body.CopyTo(frame, FrameHeader.Size);
        _ = DescriptorMessage.Send(_descriptor, frame, default, Libc.MSG_DONTWAIT);
    }

    public void OnReady(uint events)
    {
        if ((events & Libc.EPOLLOUT) != 0)
            SendUnsent();
        if ((events & (Libc.EPOLLIN | Libc.EPOLLHUP | Libc.EPOLLERR)) == 0)
            return;
        var before = _joining;
        var began = NodeTimer.Now;
        Receive(untilEmpty: false);
        if (_joining is not null && !_closed)
            Rest(began, isFirst: _joining != before);
    }

    /// <summary>Reads on when it has rested.</summary>
    public void OnTimer(long now)
    {
        if (_restsUntil > now)
            return;
        _restsUntil = long.MaxValue;
        if (!_closed)
            Listen();
    }

    /// <summary>Takes everything that has come.</summary>
    public void Drain() => Receive(untilEmpty: true);

    public void Close()
    {
        if (_closed)
            return;
        _closed = true;
        _restsUntil = long.MaxValue;
        _node.Poller.Remove(_descriptor, _key);
        _ = Libc.Close(_descriptor);
        while (_unsent.TryDequeue(out var piece))
            piece.Slab.Release();
        _joining?.Free();
        _joining = null;
        if (_partial is not null)
            ArrayPool<byte>.Shared.Return(_partial);
        _partial = null;
    }

    // While others want the processor, the world's small results among them, reading rests as LargePace has it on the ways behind.
    private void Rest(long began, bool isFirst)
    {
        if (!_node.Crowding.Look() || isFirst)
            return;
        var now = NodeTimer.Now;
        _restsUntil = now + Math.Min(LongestRestMicroseconds, LargePace.Rests * (now - began));
        Listen();
        _node.Arm(_restsUntil, now);
    }

    // A worker that ended is heard of all the same.
    private void Listen() =>
        _node.Poller.Change(_descriptor, (_restsUntil == long.MaxValue ? Libc.EPOLLIN : 0) | (_unsent.Count > 0 ? Libc.EPOLLOUT : 0), _key);

    private void SendUnsent()
    {
        while (_unsent.TryPeek(out var piece))
        {
            var iov = new Libc.Iovec { Base = (void*)piece.Pointer, Length = piece.Length };
            var message = new Libc.Msghdr { Iov = &iov, IovLength = 1 };
            var sent = Libc.SendMsg(_descriptor, &message, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL);
            if (sent < 0)
                return;
            _unsent.Dequeue();
            if ((nuint)sent == piece.Length)
            {
                piece.Slab.Release();
                continue;
            }

            // The rest keeps its place: pieces behind it go round once.
            var others = _unsent.Count;
            _unsent.Enqueue(piece with { Pointer = piece.Pointer + sent, Length = piece.Length - (nuint)sent });
            for (var i = 0; i < others; i++)
                _unsent.Enqueue(_unsent.Dequeue());
            return;
        }

        Listen();
        _worker.Pool.Touch();
    }

    private void Receive(bool untilEmpty)
    {
        var doorbell = false;
        var left = untilEmpty ? DrainBytes : TurnBytes;
        while (!_closed && left > 0)
        {
            nint count;
            if (_partial is null)
            {
                count = Libc.Recv(_descriptor, _node.ReceiveBuffer, Node.ReceiveBytes, Libc.MSG_DONTWAIT);
            }
            else
            {
                fixed (byte* rest = &_partial[_partialLength])
                    count = Libc.Recv(_descriptor, rest, (nuint)(_partial.Length - _partialLength), Libc.MSG_DONTWAIT);
            }

            if (count < 0 && Marshal.GetLastPInvokeError() == Libc.EINTR)
                continue;
            if (count < 0 && Marshal.GetLastPInvokeError() == Libc.EAGAIN)
                break;
            if (count <= 0)
            {
                _worker.Collect();
                if (!_closed)
                {
                    Close();
                    _worker.OnEndOfFile();
                }

                return;
            }

            left -= count;
            if (!Parse((int)count, ref doorbell) || (!untilEmpty && _partial is null && count < Node.ReceiveBytes))
                break;
        }

        if (!_closed)
            _worker.OnNews(doorbell);
    }

    private bool Parse(int count, ref bool doorbell)
    {
        try
        {
            if (_partial is null)
            {
                var input = new ReadOnlySpan<byte>(_node.ReceiveBuffer, count);
                var used = Parse(input, ref doorbell);
                if (used < count && !_closed)
                {
                    _partial = ArrayPool<byte>.Shared.Rent(FrameHeader.MaxFrame);
                    input[used..].CopyTo(_partial);
                    _partialLength = count - used;
                }

                return true;
            }

            var partial = _partial;
            _partialLength += count;
            var taken = Parse(partial.AsSpan(0, _partialLength), ref doorbell);
            if (_closed)
                return true;
            partial.AsSpan(taken, _partialLength - taken).CopyTo(partial);
            _partialLength -= taken;
            if (_partialLength == 0)
            {
                ArrayPool<byte>.Shared.Return(partial);
                _partial = null;
            }

            return true;
        }
        catch (FrameException problem)
        {
            Close();
            _worker.Break(problem.Message);
            return false;
        }
    }

    private int Parse(ReadOnlySpan<byte> input, ref bool doorbell)
    {
        var used = 0;
        while (!_closed && FrameReader.TryRead(input[used..], out var header, out var length))
        {
            var frame = input.Slice(used, length);
            used += length;
            switch (header.Kind)
            {
                case FrameKind.Doorbell:
                    doorbell = true;
                    break;
                case FrameKind.Result when (header.Flags & FrameFlags.Segmented) != 0:
                    _joining?.Free();
                    _joining = null;
                    _joining = new JoinedResult(frame, _node.LargestResult);
                    break;
                case FrameKind.Result:
                    _worker.Answers.OnResult(frame);
                    break;
                case FrameKind.Segment when _joining is not null:
                    if (_joining.Add(frame))
                    {
                        _worker.Answers.OnJoined(_joining);
                        _joining.Free();
                        _joining = null;
                    }

                    break;
                case FrameKind.Hello:
                    _worker.OnHello(MessageBody.Read(header.Kind, frame[FrameHeader.Size..], MessageJson.Default.Hello));
                    break;
                default:
                    throw new FrameException($"a worker sent a frame of kind {header.Kind}");
            }
        }

        return used;
    }
}
