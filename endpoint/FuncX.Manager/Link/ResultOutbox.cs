using System.Buffers.Binary;
using FuncX.Wire;
using Microsoft.Extensions.ObjectPool;

namespace FuncX.Manager.Link;

/// <summary>
/// What goes up: control frames first, then results that must be sent again after a reconnect, then small results, and between them one
/// frame at a time of large ones; a control frame waits for one frame of a large one at most. Every batch of results ends with a mark and is kept until an Ack covers it. Not thread safe: the
/// engine's turn owns it, the link's writer takes from it under the same lock. Benchmark: throughput.
/// </summary>
internal sealed class ResultOutbox
{
    private const int MarkFrame = FrameHeader.Size + sizeof(ulong);

    // From the provider: its pool disposes of what it has no room for, the plain one would drop native memory.
    private readonly ObjectPool<SendBatch> _pool = new DefaultObjectPoolProvider { MaximumRetained = 16 }.Create(new BatchPolicy());
    private readonly Queue<SendBatch> _control = new();
    private readonly Queue<SendBatch> _again = new();
    private readonly Queue<SendBatch> _small = new();
    private readonly Queue<SendBatch> _large = new();
    private readonly Queue<SendBatch> _unacknowledged = new();
    private SendBatch? _filling;
    private SendBatch? _controlFilling;
    private ulong _mark;
    private bool _largeTurn;

    /// <summary>Bytes held for results, sent or not, that no Ack has covered.</summary>
    public long HeldBytes { get; private set; }

    /// <summary>Bytes of results that were put in here since birth: each was copied once, from where its worker left it.</summary>
    public long CopiedBytes { get; private set; }

    /// <summary>True when the writer would find something.</summary>
    public bool HasOutput =>
        _control.Count > 0 || _controlFilling is { Length: > 0 } || _again.Count > 0 || _small.Count > 0 || _large.Count > 0 || _filling is { Length: > 0 };

    /// <summary>True when every result is covered by an Ack.</summary>
    public bool Empty => HeldBytes == 0;

    /// <summary>Space for one result frame of at most <see cref="FrameHeader.MaxFrame"/> bytes.</summary>
    public Span<byte> Result(int frameBytes)
    {
        if (frameBytes + MarkFrame > SendBatch.Bytes)
        {
            var own = Large(frameBytes);
            var span = own.Append(frameBytes);
            return span;
        }

        if (_filling is null || _filling.Room < frameBytes + MarkFrame)
        {
            if (_filling is not null)
                _small.Enqueue(_filling);
            _filling = _pool.Get();
            HeldBytes += _filling.Capacity;
        }

        CopiedBytes += frameBytes;
        return _filling.Append(frameBytes);
    }

    /// <summary>A batch of its own for the frames of one large result, outside this outbox until it is added.</summary>
    public static SendBatch LargeBatch(int bytes) => new(bytes + MarkFrame);

    /// <summary>A batch for one large result of so many bytes in all its frames; the caller fills it.</summary>
    public SendBatch Large(int bytes)
    {
        var batch = LargeBatch(bytes);
        AddLarge(batch, bytes);
        return batch;
    }

    /// <summary>Takes over a large result, filled or to be filled in this turn.</summary>
    /// <param name="batch">Of <see cref="LargeBatch"/>.</param>
    /// <param name="bytes">Of all its frames.</param>
    public void AddLarge(SendBatch batch, int bytes)
    {
        HeldBytes += batch.Capacity;
        CopiedBytes += bytes;
        _large.Enqueue(batch);
    }

    /// <summary>Appends a control frame; it is not kept.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="body">Its body.</param>
    /// <param name="afterResults">It goes behind the results that are sent again, not before.</param>
    public void Control(in FrameHeader header, ReadOnlySpan<byte> body, bool afterResults = false)
    {
        var bytes = FrameHeader.Size + body.Length;
        if (afterResults)
        {
            var own = _pool.Get();
            FrameWriter.Write(own, header, body);
            own.Queued = true;
            _again.Enqueue(own);
            return;
        }

        if (_controlFilling is null || _controlFilling.Room < bytes)
        {
            if (_controlFilling is not null)
                _control.Enqueue(_controlFilling);
            _controlFilling = bytes > SendBatch.Bytes ? new SendBatch(bytes) : _pool.Get();
        }

        FrameWriter.Write(_controlFilling, header, body);
    }

    /// <summary>The next bytes to write, or null. After writing them the caller says <see cref="Written"/>.</summary>
    public SendBatch? Take(out Memory<byte> piece)
    {
        if (_controlFilling is { Length: > 0 })
        {
            _control.Enqueue(_controlFilling);
            _controlFilling = null;
        }

        if (_control.TryDequeue(out var batch))
            return Whole(batch, out piece);
        while (_again.TryPeek(out batch))
        {
            // One that has begun is finished: the other side waits for the rest of its segments.
            if (batch.Forgotten && batch.Taken == 0)
            {
                batch.Queued = false;
                _again.Dequeue();
                Return(batch);
            }
            else if (batch.Capacity > SendBatch.Bytes)
            {
                return PieceAgain(batch, out piece);
            }
            else
            {
                batch.Queued = false;
                _again.Dequeue();
                return Whole(batch, out piece);
            }
        }

        if (_large.Count > 0 && (_largeTurn || (_small.Count == 0 && _filling is not { Length: > 0 })))
        {
            _largeTurn = false;
            return Piece(_large.Peek(), out piece);
        }

        _largeTurn = true;
        if (!_small.TryDequeue(out batch))
        {
            if (_filling is not { Length: > 0 })
            {
                piece = default;
                return null;
            }

            batch = _filling;
            _filling = null;
        }

        Mark(batch);
        return Whole(batch, out piece);
    }

    /// <summary>The piece was written (or the link broke): an unkept batch goes back to the pool.</summary>
    public void Written(SendBatch batch)
    {
        batch.Writing = false;
        if (batch.Queued)
            return;
        if (batch.Forgotten || (batch.Mark == 0 && batch.Taken == batch.Length))
            Return(batch);
    }

    /// <summary>Forgets every batch up to a mark.</summary>
    public void Acknowledge(ulong mark)
    {
        while (_unacknowledged.TryPeek(out var batch) && batch.Mark <= mark)
        {
            _unacknowledged.Dequeue();
            HeldBytes -= batch.Capacity;
            if (batch.Writing || batch.Queued)
                batch.Forgotten = true;
            else
                Return(batch);
        }
    }

    /// <summary>A new link: what was half said is dropped, what is not acknowledged is sent again.</summary>
    public void Restart()
    {
        foreach (var batch in _control)
            Return(batch);
        _control.Clear();
        if (_controlFilling is not null)
            Return(_controlFilling);
        _controlFilling = null;
        if (_large.TryPeek(out var large))
            large.Taken = 0;
        while (_again.TryDequeue(out var again))
        {
            again.Queued = false;
            again.Taken = 0;
            if (again.Forgotten || again.Mark == 0)
                Return(again);
        }

        foreach (var batch in _unacknowledged)
        {
            batch.Queued = true;
            batch.Taken = 0;
            _again.Enqueue(batch);
        }
    }

    /// <summary>Visits every batch whose results no Ack has covered.</summary>
    public IEnumerable<SendBatch> Held()
    {
        foreach (var batch in _unacknowledged)
            yield return batch;
        foreach (var batch in _small)
            yield return batch;
        foreach (var batch in _large)
            yield return batch;
        if (_filling is not null)
            yield return _filling;
    }

    private static SendBatch Whole(SendBatch batch, out Memory<byte> piece)
    {
        batch.Writing = true;
        batch.Taken = batch.Length;
        piece = batch.Memory[..batch.Length];
        return batch;
    }

    private SendBatch Piece(SendBatch batch, out Memory<byte> piece)
    {
        var from = batch.Taken;
        var frame = BinaryPrimitives.ReadInt32LittleEndian(batch.Filled[from..]);
        batch.Taken = from + frame;
        if (batch.Taken == batch.Length)
        {
            _large.Dequeue();
            Mark(batch);
            batch.Taken = batch.Length;
        }

        batch.Writing = true;
        piece = batch.Memory[from..batch.Taken];
        return batch;
    }

    // Frame by frame as the first time; its mark is its last frame.
    private SendBatch PieceAgain(SendBatch batch, out Memory<byte> piece)
    {
        var from = batch.Taken;
        batch.Taken = from + BinaryPrimitives.ReadInt32LittleEndian(batch.Filled[from..]);
        if (batch.Taken == batch.Length)
        {
            batch.Queued = false;
            _again.Dequeue();
        }

        batch.Writing = true;
        piece = batch.Memory[from..batch.Taken];
        return batch;
    }

    private void Mark(SendBatch batch)
    {
        batch.Mark = ++_mark;
        var frame = batch.Append(MarkFrame);
        new FrameHeader { Kind = FrameKind.Mark, BodyLength = sizeof(ulong) }.Write(frame);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[FrameHeader.Size..], batch.Mark);
        _unacknowledged.Enqueue(batch);
    }

    private void Return(SendBatch batch)
    {
        if (batch.Capacity == SendBatch.Bytes)
            _pool.Return(batch);
        else
            batch.Free();
    }

    private sealed class BatchPolicy : PooledObjectPolicy<SendBatch>
    {
        public override SendBatch Create() => new(SendBatch.Bytes);

        public override bool Return(SendBatch obj)
        {
            obj.Reset();
            return true;
        }
    }
}
