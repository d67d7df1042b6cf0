using FuncX.Mpi;

namespace FuncX.Manager.World;

/// <summary>A message of a rank whose frames begin behind the prefix.</summary>
/// <param name="Buffer">It.</param>
/// <param name="From">Whose window it counts in; null: nobody's.</param>
internal readonly record struct LeaderMessage(MpiBuffer Buffer, WorldPeer? From)
{
    public ReadOnlyMemory<byte> Frames => Buffer.Memory[WorldPrefix.Size..];
}

/// <summary>
/// What waits to be written to the endpoint. The messages of one rank keep their order, since a mark speaks for all before it; between ranks small ones go before large ones, so that a large
/// body of one rank does not hold up what the others have done. Large ones get their turn all the same. Not thread safe.
/// </summary>
/// <param name="ranks">How many there are; each has a lane of its own, and one is for what the leader says itself.</param>
internal sealed class LeaderOutbox(int ranks)
{
    /// <summary>A message of more bytes is a large one: a part of a body that travels in segments.</summary>
    public const int SmallMessage = 16 * 1024;

    // As much as a large one has and some more: with both waiting each gets about half of the connection.
    private const int SmallBytesInARow = 512 * 1024;

    private readonly Queue<LeaderMessage>?[] _lanes = new Queue<LeaderMessage>?[ranks + 1];
    private readonly Queue<int> _small = new();
    private readonly Queue<int> _large = new();
    private int _inARow;

    public int Count { get; private set; }

    /// <summary>Whether only large ones wait.</summary>
    public bool OnlyLarge => _small.Count == 0 && _large.Count > 0;

    /// <param name="message">What is added.</param>
    /// <param name="rank">Behind whose messages it goes; -1: it is of the leader's own.</param>
    public void Add(in LeaderMessage message, int rank)
    {
        var lane = rank < 0 ? ranks : rank;
        var queue = _lanes[lane] ??= new Queue<LeaderMessage>();
        queue.Enqueue(message);
        Count++;
        if (queue.Count == 1)
            Line(lane, message);
    }

    /// <summary>The message that is written next.</summary>
    /// <param name="mayLarge">Whether it may be a large one.</param>
    /// <param name="message">It.</param>
    public bool TryPeek(bool mayLarge, out LeaderMessage message)
    {
        message = default;
        return Next(mayLarge) is { } next && _lanes[next.Peek()]!.TryPeek(out message);
    }

    /// <summary>Takes it away.</summary>
    public bool TryTake(bool mayLarge, out LeaderMessage message)
    {
        message = default;
        if (Next(mayLarge) is not { } next)
            return false;
        var lane = next.Dequeue();
        var queue = _lanes[lane]!;
        message = queue.Dequeue();
        Count--;
        _inARow = message.Frames.Length > SmallMessage ? 0 : Math.Min(SmallBytesInARow, _inARow + message.Frames.Length);
        if (queue.TryPeek(out var following))
            Line(lane, following);
        return true;
    }

    private Queue<int>? Next(bool mayLarge)
    {
        if (_small.Count > 0 && (!mayLarge || _large.Count == 0 || _inARow < SmallBytesInARow))
            return _small;
        return mayLarge && _large.Count > 0 ? _large : null;
    }

    private void Line(int lane, in LeaderMessage first) => (first.Frames.Length > SmallMessage ? _large : _small).Enqueue(lane);
}
