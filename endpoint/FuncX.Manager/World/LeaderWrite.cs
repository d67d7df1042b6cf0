namespace FuncX.Manager.World;

/// <summary>
/// What the leader writes to the endpoint at once: one message as it stands, or small ones that wait together, copied behind each other. One thread at a time. Benchmark:
/// RelayBenchmarks.ResultsUp.
/// </summary>
internal sealed class LeaderWrite
{
    private const int MaxBytes = 64 * 1024;

    private readonly byte[] _together = GC.AllocateUninitializedArray<byte>(MaxBytes);
    private int _used;

    /// <summary>Nothing has been copied into it.</summary>
    public bool IsEmpty => _used == 0;

    /// <summary>The messages that were copied.</summary>
    public ReadOnlyMemory<byte> Bytes => _together.AsMemory(0, _used);

    public void Begin() => _used = 0;

    /// <summary>Takes the next message that goes with this write; false: there is none, or it would not fit.</summary>
    /// <param name="messages">Those that wait.</param>
    /// <param name="mayLarge">Whether it may be a large one, should it be the first.</param>
    /// <param name="message">It: to be appended, unless it is all there is to write.</param>
    /// <param name="isWhole">It is: what a large one is written with is not copied, and neither is one that waits alone.</param>
    public bool TryTake(LeaderOutbox messages, bool mayLarge, out LeaderMessage message, out bool isWhole)
    {
        isWhole = false;
        mayLarge &= _used == 0;
        if (!messages.TryPeek(mayLarge, out message))
            return false;
        var bytes = message.Frames.Length;
        if (_used + bytes > MaxBytes && _used > 0)
            return false;
        _ = messages.TryTake(mayLarge, out _);
        isWhole = _used == 0 && (bytes > LeaderOutbox.SmallMessage || messages.Count == 0);
        return true;
    }

    public void Append(in LeaderMessage message)
    {
        message.Frames.CopyTo(_together.AsMemory(_used));
        _used += message.Frames.Length;
    }
}
