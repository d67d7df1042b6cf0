using FuncX.Manager.Interop;
using FuncX.Mpi;
using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>
/// The way to another rank: what was sent there and what came from there. The other side has at most a window of counted bytes that it has not done with, and
/// few messages are on their way at once, so that frames for one that does not listen wait in as few messages as they fit. The MPI thread's alone but for <see cref="Consume"/>.
/// </summary>
internal sealed class WorldPeer(WorldThread thread, int rank, long window)
{
    private const int MostCounted = 4;
    private const int MostSends = 8;

    // Little enough for who sends parts of large bodies and keeps few of them on their way.
    private const long MostOwed = FrameHeader.MaxBody;

    private long _sent;
    private long _done;
    private long _consumed;
    private long _told;

    public int Rank => rank;

    /// <summary>When the last message of any kind began its way, and when one came (<see cref="NodeTimer"/>).</summary>
    public long SentAt { get; private set; } = NodeTimer.Now;

    public long HeardAt { get; set; } = NodeTimer.Now;

    /// <summary>Sends that MPI has not done with.</summary>
    public int Unfinished { get; set; }

    /// <summary>Whether a message may go that waits for no window.</summary>
    public bool MaySend => Unfinished < MostSends;

    /// <summary>Whether so many counted bytes may go now.</summary>
    public bool MaySendCounted(int bytes) => Unfinished < MostCounted && (_sent == _done || _sent - _done + bytes <= window);

    /// <summary>Counted bytes that the other side would take now.</summary>
    public long Room => Unfinished < MostCounted ? Math.Max(0, window - (_sent - _done)) : 0;

    /// <summary>True when the other side should hear of its credit though there is nothing else to say.</summary>
    public bool OwesCredit => Volatile.Read(ref _consumed) - _told > Math.Min(window / 4, MostOwed);

    /// <summary>Counted bytes that the other side has not done with, as far as it is known here.</summary>
    public long Ahead => _sent - _done;

    /// <summary>Sends a buffer whose first bytes are free for the prefix.</summary>
    public void Send(int tag, MpiBuffer buffer, uint generation, uint argument = 0)
    {
        _told = Volatile.Read(ref _consumed);
        new WorldPrefix(generation, argument, _told).Write(buffer.Span);
        var counted = WorldTag.IsCounted(tag) ? buffer.Length : 0;
        _sent += counted;
        SentAt = NodeTimer.Now;
        thread.Send(this, tag, buffer, counted);
    }

    /// <summary>So many counted bytes have not gone there: the other side will never be done with them.</summary>
    public void Uncount(int bytes) => _sent -= bytes;

    /// <summary>Sends a message without frames.</summary>
    public void Send(int tag, uint generation = 0, uint argument = 0) => Send(tag, thread.Mpi.Buffers.Rent(WorldPrefix.Size), generation, argument);

    /// <summary>Takes note of what a message says on its front; true when there is more room than before.</summary>
    public bool OnPrefix(in WorldPrefix prefix)
    {
        HeardAt = NodeTimer.Now;
        if (prefix.Consumed <= _done)
            return false;
        _done = prefix.Consumed;
        return true;
    }

    /// <summary>So many counted bytes from there are done with. From any thread.</summary>
    public void Consume(int bytes) => Interlocked.Add(ref _consumed, bytes);
}
