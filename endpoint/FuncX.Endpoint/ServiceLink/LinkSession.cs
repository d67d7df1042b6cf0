using System.Diagnostics.CodeAnalysis;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// The sending half of one link: a short queue and one sender at a time, which writes on the loop's own thread when there is little to send and nothing under way.
/// Results wait in the ledger, not here, so that they gather while the link is busy. What is no result goes before them; both go between the parts of a large one, which would hold them
/// up for as long as it takes, and while small results pass those parts keep a pace (<see cref="LargePace"/>). Messages of results are numbered as they are written.
/// </summary>
internal sealed class LinkSession : IThreadPoolWorkItem
{
    private const int InlineBytes = 32 << 10;
    private const int QueuedResults = 2;

    // Writing hands a part to the connection, which sends it on threads of its own.
    private const long LeastRestMicroseconds = 1_000;

    private readonly IClientStreamWriter<OutgoingMessage> _writer;
    private readonly HopCounter _hops;
    private readonly TimeProvider _time;
    private readonly Action _onRoom;
    private readonly Action<Exception> _onFailed;
    private readonly ITimer _rested;
    private readonly LargePace _pace = new(LeastRestMicroseconds);

    private readonly Lock _gate = new();
    private readonly Queue<OutgoingMessage> _control = new();
    private readonly Queue<HeldMessage> _held = new();
    private LargeMessage? _large;
    private int _results;
    private bool _sending;
    private bool _wantsRoom;
    private bool _closed;
    private ulong _sequence;

    /// <param name="writer">The call's.</param>
    /// <param name="hops">Where what is sent is counted.</param>
    /// <param name="time">Whose timers end the rests of large results.</param>
    /// <param name="onRoom">Told when there is room that somebody asked for in vain.</param>
    /// <param name="onFailed">Told what the sending died of.</param>
    public LinkSession(IClientStreamWriter<OutgoingMessage> writer, HopCounter hops, TimeProvider time, Action onRoom, Action<Exception> onFailed)
    {
        (_writer, _hops, _time, _onRoom, _onFailed) = (writer, hops, time, onRoom, onFailed);
        _rested = time.CreateTimer(static session => ((LinkSession)session!).OnRested(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether results may be sent now; when not, the owner is told once they may.</summary>
    public bool HasRoom
    {
        get
        {
            lock (_gate)
                return IsRoom(_results < QueuedResults);
        }
    }

    /// <summary>The same of a large one. One at a time: the service puts as many together as come, and each keeps what was sent behind its beginning from being acknowledged.</summary>
    public bool HasRoomForLarge
    {
        get
        {
            lock (_gate)
                return IsRoom(_large is null);
        }
    }

    public void Send(EndpointMessage message) => Send(new PlainMessage(message));

    /// <summary>Queues a message and has it sent; takes over one reference.</summary>
    public void Send(OutgoingMessage message)
    {
        lock (_gate)
        {
            if (_closed)
            {
                message.Release();
                return;
            }

            if (message is not HeldMessage held)
            {
                _control.Enqueue(message);
            }
            else if (held.IsLarge)
            {
                _large = _large is null ? new LargeMessage(held) : throw new InvalidOperationException("a large result was sent while another one was under way");
            }
            else
            {
                _held.Enqueue(held);
                _results++;
            }

            if (_sending)
                return;
            _sending = true;
        }

        if (message.Bytes <= InlineBytes)
            _ = SendAsync();
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
    }

    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            while (_control.TryDequeue(out var message))
                message.Release();
            while (_held.TryDequeue(out var message))
                message.Release();
            _large?.Whole.Release();
            _large = null;
            _rested.Dispose();
        }
    }

    void IThreadPoolWorkItem.Execute() => _ = SendAsync();

    private bool IsRoom(bool free)
    {
        _wantsRoom |= !free && !_closed;
        return free && !_closed;
    }

    private async Task SendAsync()
    {
        try
        {
            while (TryTake(out var message, out var large))
            {
                try
                {
                    await WriteAsync(message, large);
                }
                finally
                {
                    (large?.Whole ?? message).Release();
                }

                if (MakesRoom(message, large))
                    _onRoom();
            }
        }
        catch (Exception problem)
        {
            // Whatever it is: a link that nobody writes to any more has to end, and the next one announces everything again.
            try
            {
                Close();
            }
            finally
            {
                _onFailed(problem);
            }
        }
    }

    private async ValueTask WriteAsync(OutgoingMessage message, LargeMessage? large)
    {
        if (message is not ResultsMessage results)
        {
            await _writer.WriteAsync(message);
            return;
        }

        if (large is null or { IsFirst: true })
            FailPoints.Pass("before-link-send");
        var sequence = ++_sequence;
        if (large is not null)
            results.Sequence = sequence;
        var whole = large is null ? (HeldMessage)message : large.IsLast ? large.Whole : null;
        whole?.Number(this, sequence);
        var began = Now;
        await _writer.WriteAsync(message);
        if (large is null)
            _pace.OnSmall(Now);
        else
            _pace.OnLarge(Now, Now - began);
        if (whole is null)
            return;
        FailPoints.Pass("after-link-send");
        _hops.ResultsSent += whole.Results;
    }

    /// <summary>A message is gone; true when the owner waits to be told.</summary>
    private bool MakesRoom(OutgoingMessage message, LargeMessage? large)
    {
        lock (_gate)
        {
            if (message is HeldMessage)
                _results--;
            else if (large is not { IsLast: true })
                return false;
            (var wanted, _wantsRoom) = (_wantsRoom, false);
            return wanted;
        }
    }

    // With one reference, the writer's, which is to the whole when it is a part.
    private bool TryTake([NotNullWhen(true)] out OutgoingMessage? message, out LargeMessage? large)
    {
        lock (_gate)
        {
            large = null;
            if (!_control.TryDequeue(out message) && _held.TryDequeue(out var held))
                message = held;
            if (message is null && _large is not null && !Rests())
            {
                large = _large;
                message = large.NextPart();
                if (large.IsLast)
                    _large = null;
                else
                    large.Whole.Retain();
            }

            _sending = message is not null;
            return _sending;
        }
    }

    // With the gate held. What comes meanwhile is sent, and asks anew.
    private bool Rests()
    {
        var rest = _pace.Due - Now;
        if (rest <= 0)
            return false;
        // Timers count in milliseconds, and one that is rounded down fires at once.
        _rested.Change(TimeSpan.FromMilliseconds(Math.Ceiling(rest / 1000.0)), Timeout.InfiniteTimeSpan);
        return true;
    }

    private void OnRested()
    {
        lock (_gate)
        {
            if (_sending || _closed || _large is null)
                return;
            _sending = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private long Now => (long)_time.GetElapsedTime(0).TotalMicroseconds;

    /// <summary>One that is sent in parts, and how far it has come.</summary>
    private sealed class LargeMessage(HeldMessage whole)
    {
        private readonly IEnumerator<ResultsMessage> _parts = whole.Parts().GetEnumerator();
        private int _taken;

        public HeldMessage Whole => whole;

        /// <summary>Whether the part that was taken last is the first one.</summary>
        public bool IsFirst { get; private set; }

        /// <summary>Whether it is the last one.</summary>
        public bool IsLast { get; private set; }

        public ResultsMessage NextPart()
        {
            IsFirst = _taken == 0;
            _parts.MoveNext();
            _taken += _parts.Current.Bytes;
            IsLast = _taken == whole.Bytes;
            return _parts.Current;
        }
    }
}
