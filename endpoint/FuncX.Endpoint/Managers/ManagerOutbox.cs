using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>
/// What waits to be sent to one manager: control frames before small ones before segments of large bodies, so that a large body never holds up a heartbeat. The
/// loop adds and flushes; one sender at a time writes, on the loop's own thread when there is little to send and the connection is idle. Runs of frames that lie
/// together in a buffer are one write and are not copied. Bounded: above the high mark <see cref="Flush"/> says so, and the core sends no more until the low one.
/// </summary>
internal sealed class ManagerOutbox(Stream stream, HopCounter hops, BufferPool pool, Action<Exception> onFailed, Action onRoom) : IThreadPoolWorkItem
{
    private const int HighMark = 8 << 20;
    private const int LowMark = 2 << 20;
    private const int InlineBytes = 16 << 10;
    private const int GatherBytes = 16 << 10;

    // Below this a copy is cheaper than a TLS record of its own.
    private const int GatherBelow = 1 << 10;

    private readonly Lock _gate = new();
    private readonly List<FrameSlice> _newControl = [];
    private readonly List<FrameSlice> _newSmall = [];
    private readonly List<FrameSlice> _newLarge = [];
    private readonly Queue<FrameSlice> _control = new();
    private readonly Queue<FrameSlice> _small = new();
    private readonly Queue<FrameSlice> _large = new();
    private readonly List<FrameSlice> _batch = [];
    private long _pendingBytes;
    private bool _sending;
    private bool _closed;
    private bool _full;

    /// <summary>Set by the loop when it adds anything; the loop clears it with each heartbeat interval.</summary>
    public bool Used { get; set; }

    /// <summary>Adds a frame that goes first; takes over one reference.</summary>
    public void AddControl(in FrameSlice slice)
    {
        _newControl.Add(slice);
        Used = true;
    }

    /// <summary>Adds frames behind the small ones; takes over one reference.</summary>
    public void AddSmall(in FrameSlice slice)
    {
        _newSmall.Add(slice);
        Used = true;
    }

    /// <summary>Adds a task's frame, joining it to the run before when it lies behind it in the same buffer; takes its own reference.</summary>
    public void AddTask(in FrameSlice slice)
    {
        Used = true;
        if (_newSmall.Count > 0 && _newSmall[^1] is var last && last.IsFollowedBy(slice))
        {
            _newSmall[^1] = new FrameSlice(last.Buffer, last.Offset, last.Length + slice.Length);
            return;
        }

        slice.Buffer.Retain();
        _newSmall.Add(slice);
    }

    /// <summary>Adds one frame of a large body; takes its own reference.</summary>
    public void AddLarge(in FrameSlice slice)
    {
        Used = true;
        slice.Buffer.Retain();
        _newLarge.Add(slice);
    }

    /// <summary>Hands what was added to the sender. Once per turn.</summary>
    /// <returns>False when the connection takes no more for now; its owner is told when there is room again.</returns>
    public bool Flush()
    {
        long bytes;
        bool full;
        lock (_gate)
        {
            Move(_newControl, _control);
            Move(_newSmall, _small);
            Move(_newLarge, _large);
            bytes = _pendingBytes;
            if (bytes > HighMark)
                _full = true;
            full = _full;
            if (_sending || bytes == 0)
                return !full;
            _sending = true;
        }

        if (bytes <= InlineBytes)
            _ = SendAsync();
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        return !full;
    }

    /// <summary>Drops what waits. The stream is its owner's to close.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Drop(_control);
            Drop(_small);
            Drop(_large);
        }
    }

    void IThreadPoolWorkItem.Execute() => _ = SendAsync();

    private static void Drop(Queue<FrameSlice> queue)
    {
        while (queue.TryDequeue(out var slice))
            slice.Buffer.Release();
    }

    private void Move(List<FrameSlice> from, Queue<FrameSlice> to)
    {
        foreach (var slice in from)
        {
            if (_closed)
            {
                slice.Buffer.Release();
                continue;
            }

            _pendingBytes += slice.Length;
            to.Enqueue(slice);
        }

        from.Clear();
    }

    private async Task SendAsync()
    {
        PooledBuffer? gather = null;
        var holds = false;
        try
        {
            gather = pool.Rent(GatherBytes);
            while (holds = TakeBatch(out var bytes))
            {
                var (tasks, acknowledges) = FailPoints.Armed ? (Has(FrameKind.Task), Has(FrameKind.Ack)) : default;
                if (tasks)
                    FailPoints.Pass("before-manager-send");
                if (acknowledges)
                    FailPoints.Pass("before-manager-ack");
                await WriteBatchAsync(gather.Array);
                if (tasks)
                    FailPoints.Pass("after-manager-send");
                if (acknowledges)
                    FailPoints.Pass("after-manager-ack");
                bool room;
                lock (_gate)
                {
                    _pendingBytes -= bytes;
                    room = _full && _pendingBytes < LowMark;
                    if (room)
                        _full = false;
                }

                if (room)
                    onRoom();
            }
        }
        catch (Exception problem)
        {
            // Whatever it is: a connection that nobody writes to any more has to end, and the manager dials again.
            try
            {
                Close();
            }
            finally
            {
                onFailed(problem);
            }
        }
        finally
        {
            gather?.Release();

            // Not when there was nothing more to take: the batch may be the next sender's by now.
            if (holds)
                ReleaseBatch();
        }
    }

    private void ReleaseBatch()
    {
        // Each leaves the list first: a release that fails is not made again.
        while (_batch.Count > 0)
        {
            var buffer = _batch[^1].Buffer;
            _batch.RemoveAt(_batch.Count - 1);
            buffer.Release();
        }
    }

    /// <summary>False: there is nothing to send. Another sender may begin at once, and the batch is that one's.</summary>
    private bool TakeBatch(out long bytes)
    {
        bytes = 0;
        lock (_gate)
        {
            while (_control.TryDequeue(out var slice))
                Take(slice, ref bytes);
            while (_small.TryDequeue(out var slice))
                Take(slice, ref bytes);
            if (_batch.Count == 0 && _large.TryDequeue(out var segment))
                Take(segment, ref bytes);
            if (_closed)
                ReleaseBatch();
            _sending = _batch.Count > 0;
            return _sending;
        }
    }

    private bool Has(FrameKind kind) => _batch.Exists(slice => (FrameKind)slice.Span[FrameHeader.KindOffset] == kind);

    private void Take(in FrameSlice slice, ref long bytes)
    {
        _batch.Add(slice);
        bytes += slice.Length;
    }

    private async ValueTask WriteBatchAsync(byte[] gather)
    {
        var gathered = 0;
        for (var i = 0; i < _batch.Count; i++)
        {
            var slice = _batch[i];
            var alone = gathered == 0 && i == _batch.Count - 1;
            if (!alone && slice.Length < GatherBelow)
            {
                if (gathered + slice.Length > GatherBytes)
                {
                    await stream.WriteAsync(gather.AsMemory(0, gathered));
                    gathered = 0;
                }

                slice.Span.CopyTo(gather.AsSpan(gathered));
                gathered += slice.Length;
                if (slice.Buffer.IsPooled)
                    hops.Copied(slice.Length);
                continue;
            }

            if (gathered > 0)
                await stream.WriteAsync(gather.AsMemory(0, gathered));
            gathered = 0;
            await stream.WriteAsync(slice.Memory);
        }

        if (gathered > 0)
            await stream.WriteAsync(gather.AsMemory(0, gathered));
        ReleaseBatch();
    }
}
