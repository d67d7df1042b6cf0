using System.Buffers;
using System.IO.Pipelines;
using System.Net.Security;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Mpi;
using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>
/// The leader's connection to the endpoint. What comes is given to the leader by whole frames; what goes are messages of ranks as they came, small ones that wait together
/// copied into one write. Benchmark: scale.
/// </summary>
internal sealed class LeaderSession : IAsyncDisposable
{
    private readonly WorldLeader _leader;
    private readonly SslStream _stream;
    private readonly PipeReader _reader;
    private readonly CancellationTokenSource _end = new();
    private readonly LeaderOutbox _messages;
    private readonly LargePace _pace = new();
    private readonly Lock _gate = new();
    private readonly LeaderWrite _write = new();
    private Task _writing = Task.CompletedTask;
    private int _busy;
    private bool _over;
    private bool _holding;
    private string _broken = "";
    private long _sentAt = NodeTimer.Now;
    private long _heardAt = NodeTimer.Now;

    public LeaderSession(WorldLeader leader, SslStream stream, SlabPool slabs, int ranks)
    {
        _leader = leader;
        _messages = new LeaderOutbox(ranks);
        _stream = stream;
        _reader = PipeReader.Create(stream, new StreamPipeReaderOptions(slabs, SlabPool.SlabBytes, minimumReadSize: 4096, leaveOpen: true));
    }

    /// <summary>True when everything that was added has been written, or never will be.</summary>
    public bool Written
    {
        get
        {
            lock (_gate)
                return _over || (_messages.Count == 0 && Volatile.Read(ref _busy) == 0);
        }
    }

    /// <summary>When to <see cref="Kick"/> though nothing has come: a large message rests. <see cref="long.MaxValue"/>: not needed.</summary>
    public long Due
    {
        get
        {
            lock (_gate)
                return _messages.OnlyLarge && !_over && Volatile.Read(ref _busy) == 0 ? _pace.Due : long.MaxValue;
        }
    }

    public Task<Welcome> GreetAsync(Hello hello) => LinkGreeting.SayAsync(_reader, PipeWriter.Create(_stream, new StreamPipeWriterOptions(leaveOpen: true)), hello);

    /// <summary>Takes frames until the connection ends.</summary>
    public async Task RunAsync(TimeSpan heartbeat)
    {
        var beating = BeatAsync(heartbeat);
        try
        {
            while (true)
            {
                var result = await _reader.ReadAsync(_end.Token);
                Volatile.Write(ref _heardAt, NodeTimer.Now);
                var input = result.Buffer;
                _leader.Route(ref input);
                _reader.AdvanceTo(input.Start, result.Buffer.End);
                if (result.IsCompleted)
                    return;
                await HoldAsync();
            }
        }
        catch (OperationCanceledException problem)
        {
            throw new IOException(_broken, problem);
        }
        finally
        {
            _leader.OnLinkDown(this);
            await _end.CancelAsync();
            await _stream.DisposeAsync();
            await beating;
            await _writing;
            Drop();
        }
    }

    /// <summary>Adds a message of a rank whose frames begin behind the prefix. It is disposed when it was written.</summary>
    public void Add(MpiBuffer buffer, WorldPeer from) => Add(new LeaderMessage(buffer, from), from.Rank);

    /// <summary>Adds frames of the leader's own, behind a prefix's room: behind those of a rank that they are about, or with -1 of none.</summary>
    public void Say(MpiBuffer buffer, int rank) => Add(new LeaderMessage(buffer, null), rank);

    /// <summary>Writes what there is, on the caller's thread as far as the socket takes it; one writer at a time.</summary>
    public void Kick()
    {
        if (Interlocked.CompareExchange(ref _busy, 1, 0) == 0)
            _writing = WriteAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Drop();
        await _stream.DisposeAsync();
        _end.Dispose();
    }

    private async Task WriteAsync()
    {
        try
        {
            do
            {
                while (Next(out var whole) is { IsEmpty: false } bytes)
                {
                    var began = NodeTimer.Now;
                    try
                    {
                        await _stream.WriteAsync(bytes, _end.Token);
                    }
                    finally
                    {
                        if (whole is { } message)
                            Finish(message);
                    }

                    OnWritten(isLarge: bytes.Length > LeaderOutbox.SmallMessage && whole is not null, began);
                }

                Volatile.Write(ref _busy, 0);
            }
            while (HasMessages() && Interlocked.CompareExchange(ref _busy, 1, 0) == 0);
            // Whoever has it go on then may have gone to sleep meanwhile.
            if (Due != long.MaxValue)
                _leader.Wake();
        }
        catch (Exception problem) when (problem is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            if (_broken.Length == 0)
                _broken = problem.Message;

            // The reader sees the same end; the writer stays busy, so nobody writes to this connection again.
            await _end.CancelAsync();
        }
    }

    private void Add(in LeaderMessage message, int rank)
    {
        lock (_gate)
        {
            if (!_over)
            {
                _messages.Add(message, rank);
                return;
            }
        }

        Finish(message);
    }

    private void OnWritten(bool isLarge, long began)
    {
        var now = NodeTimer.Now;
        Volatile.Write(ref _sentAt, now);
        lock (_gate)
        {
            if (isLarge)
                _pace.OnLarge(now, now - began);
            else
                _pace.OnSmall(now);
        }
    }

    private bool MayLarge() => NodeTimer.Now >= _pace.Due;

    private bool HasMessages()
    {
        lock (_gate)
            return _messages.TryPeek(MayLarge(), out _);
    }

    private ReadOnlyMemory<byte> Next(out LeaderMessage? whole)
    {
        whole = null;
        _write.Begin();
        while (true)
        {
            LeaderMessage message;
            bool isWhole;
            lock (_gate)
            {
                if (!_write.TryTake(_messages, _write.IsEmpty && MayLarge(), out message, out isWhole))
                    return _write.Bytes;
            }

            if (isWhole)
            {
                whole = message;
                return message.Frames;
            }

            _write.Append(message);
            Finish(message);
        }
    }

    private void Finish(in LeaderMessage message)
    {
        var bytes = message.Buffer.Length;
        message.Buffer.Dispose();
        if (message.From is { } peer)
            _leader.OnWritten(peer, bytes);
    }

    private void Drop()
    {
        while (true)
        {
            LeaderMessage message;
            lock (_gate)
            {
                _over = true;
                if (!_messages.TryTake(mayLarge: true, out message))
                    return;
            }

            Finish(message);
        }
    }

    // Ranks have not taken what came: nothing more is read meanwhile, and the endpoint's silence is ours.
    private async Task HoldAsync()
    {
        var room = _leader.RoomAsync();
        if (room.IsCompleted)
            return;
        Volatile.Write(ref _holding, true);
        await room.WaitAsync(_end.Token);
        Volatile.Write(ref _heardAt, NodeTimer.Now);
        Volatile.Write(ref _holding, false);
    }

    private async Task BeatAsync(TimeSpan period)
    {
        using var timer = new PeriodicTimer(period);
        try
        {
            while (await timer.WaitForNextTickAsync(_end.Token))
            {
                var now = NodeTimer.Now;
                var silence = now - Volatile.Read(ref _heardAt);
                if (silence > period.TotalMicroseconds * 5 && !Volatile.Read(ref _holding))
                {
                    _broken = $"heard nothing for {silence / 1000} ms";
                    await _end.CancelAsync();
                    return;
                }

                if (now - Volatile.Read(ref _sentAt) >= period.TotalMicroseconds * 0.9)
                    _leader.Say(this, FrameKind.Heartbeat, destination: 0);
            }
        }
        catch (OperationCanceledException)
        {
            // The session ended.
        }
    }
}
