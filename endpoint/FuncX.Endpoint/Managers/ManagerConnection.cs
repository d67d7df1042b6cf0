using System.Buffers.Binary;
using System.Numerics;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>
/// One TLS connection of a manager after its handshake. Frames are decrypted straight into the pooled buffer that later goes to the service: the reader walks
/// lengths only, hands whole frames to the loop, and waits for it before it hands over more.
/// </summary>
internal sealed partial class ManagerConnection
{
    private const int SmallestRead = 4 << 10;
    private const int SmallFrame = 16 << 10;
    private const int LargestBatch = 256 << 10;
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly Stream _stream;
    private readonly BufferPool _pool;
    private readonly EndpointLoop _loop;
    private readonly Action _abort;
    private readonly ManagerBatch _batch;
    private readonly ILogger _logger;
    private string? _closeReason;
    private int _largestFrame = FrameHeader.Size;

    public ManagerConnection(Stream stream, BufferPool pool, HopCounter hops, EndpointLoop loop, Action abort, ILogger logger)
    {
        _stream = stream;
        _pool = pool;
        _loop = loop;
        _abort = abort;
        _logger = logger;
        _batch = new ManagerBatch(this);
        Hops = hops;
        Outbox = new ManagerOutbox(
            stream,
            hops,
            pool,
            OnSendingFailed,
            () => _loop.Post(new ActionEvent(dispatcher => dispatcher.Managers.OnRoom(this))));
    }

    public ManagerOutbox Outbox { get; }

    public HopCounter Hops { get; }

    /// <summary>The manager at the other end, or those behind the leader there.</summary>
    public ConnectionMembers Members { get; } = new();

    /// <summary>Something came on it since the last second. On the loop.</summary>
    public bool Heard { get; set; }

    /// <summary>Who dialled. Set on the loop.</summary>
    public ManagerHello? Hello { get; set; }

    /// <summary>What an agent last said.</summary>
    public AgentReport Agent { get; set; } = new();

    /// <summary>What the leader at the other end keeps for its managers.</summary>
    public LeaderFunctions Functions { get; } = new();

    /// <summary>What each manager of this connection is welcomed with. Set on the loop.</summary>
    public ManagerWelcome? Welcome { get; set; }

    /// <summary>Whether it is on the turn's list of those to flush.</summary>
    public bool Dirty { get; set; }

    public override string ToString() => Hello?.ToString() ?? "a manager";

    /// <summary>Why this side closed the connection; null when the other side did.</summary>
    public string? CloseReason => Volatile.Read(ref _closeReason);

    /// <summary>Ends the connection; from any thread, any number of times.</summary>
    public void Close(string reason)
    {
        Interlocked.CompareExchange(ref _closeReason, reason, null);
        _abort();
    }

    /// <summary>Reads until the connection ends.</summary>
    /// <param name="buffer">Holds what came behind the hello; taken over.</param>
    /// <param name="filled">How much of it.</param>
    /// <param name="held">Bytes of results the loop holds: reading pauses above its limit.</param>
    /// <exception cref="FrameException">The bytes cannot be frames.</exception>
    public async Task ReadAsync(PooledBuffer buffer, int filled, ResultRoom held)
    {
        var given = 0;
        var whole = 0;
        var size = SmallestRead;
        try
        {
            while (true)
            {
                whole = Walk(buffer.Array, whole, filled, out var missing);
                // The end of a buffer is kept for the frame that has begun, so that none has to be moved to the next one.
                var room = buffer.Array.Length - filled - Math.Min(_largestFrame, buffer.Array.Length / 4);
                if (room < missing && missing <= buffer.Array.Length - filled)
                    room = missing;
                if (room <= 0 || room < missing)
                {
                    if (whole > given)
                        await GiveAsync(buffer, given, whole, held);
                    // Filled to the end before a pause came: there is more where this came from.
                    size = Math.Min(BufferPool.Largest, size * 4);
                    buffer = Renew(buffer, whole, ref filled, Math.Max(size, filled - whole + missing + _largestFrame));
                    given = whole = 0;
                    room = Math.Max(missing, buffer.Array.Length - filled - _largestFrame);
                }

                var read = _stream.ReadAsync(buffer.Array.AsMemory(filled, room));
                if (whole > given && (!read.IsCompleted || whole - given >= LargestBatch))
                {
                    if (whole - given < size / 8)
                        size = Math.Max(SmallestRead, size / 2);
                    await GiveAsync(buffer, given, whole, held);
                    given = whole;
                }

                var count = await read;
                if (count == 0)
                    break;
                filled += count;
            }

            if (whole > given)
                await GiveAsync(buffer, given, whole, held);
        }
        finally
        {
            buffer.Release();
        }
    }

    private void OnSendingFailed(Exception problem)
    {
        if (!TransportFailure.Is(problem))
            LogDefect(_logger, ToString(), problem);
        Close($"writing failed: {problem.Message}");
    }

    // Returns the end of the last whole frame, and how many bytes the one behind it still lacks: of its header, when that is not here yet.
    private int Walk(byte[] bytes, int start, int end, out int missing)
    {
        missing = 0;
        while (end - start >= sizeof(uint))
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(start));
            if (length is < FrameHeader.Size or > FrameHeader.MaxFrame)
                throw new FrameException($"frame length {length} is outside {FrameHeader.Size} to {FrameHeader.MaxFrame}");
            _largestFrame = Math.Max(_largestFrame, (int)length);
            if (end - start < length)
            {
                missing = (int)length - (end - start);
                return start;
            }

            start += (int)length;
        }

        if (end > start)
            missing = FrameHeader.Size - (end - start);
        return start;
    }

    private PooledBuffer Renew(PooledBuffer old, int whole, ref int filled, int bytes)
    {
        var tail = old.Array.AsSpan(whole, filled - whole);
        var renewed = _pool.Rent((int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(bytes, SmallestRead)));
        tail.CopyTo(renewed.Array);
        Hops.Copied(tail.Length);
        filled = tail.Length;
        // One large frame is no reason to keep large buffers.
        if (_largestFrame > SmallFrame)
            _largestFrame /= 2;
        old.Release();
        return renewed;
    }

    private async ValueTask GiveAsync(PooledBuffer buffer, int start, int end, ResultRoom held)
    {
        while (held.IsFull && CloseReason is null)
        {
            // The service and the spool take nothing: results stay with the manager, which is not silent for it.
            await _loop.Run(dispatcher => dispatcher.Managers.OnHeard(this));
            await Task.Delay(_pause);
        }

        _batch.Frames = new FrameSlice(buffer, start, end - start);
        await _loop.PostAndWait(_batch);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "a defect of this program ended the sending to {Manager}; it dials again")]
    private static partial void LogDefect(ILogger logger, string manager, Exception problem);
}
