namespace FuncX.Mpi;

/// <summary>Handles of messages that were matched and not yet received, so that none is received twice.</summary>
internal sealed class MessageTable
{
    // Matched and not received: a caller receives at once, or after it has found memory for a few.
    public const int Capacity = 256;

    private readonly nint[] _handles = new nint[Capacity];
    private readonly uint[] _generations = new uint[Capacity];
    private readonly int[] _free = [.. Enumerable.Range(0, Capacity).Reverse()];

    public int Count { get; private set; }

    /// <summary>Before a probe: afterwards the message would be matched and lost.</summary>
    public void RequireRoom()
    {
        if (Count == Capacity)
            throw Full();
    }

    /// <returns>The message's slot.</returns>
    public int Add(nint handle, out uint generation)
    {
        var slot = _free[Count++];
        _handles[slot] = handle;
        // 0 is what a default value has.
        generation = ++_generations[slot];
        return slot;
    }

    /// <summary>The handle; the message is received with this call, whatever MPI says next.</summary>
    public nint Take(in MpiMessage message)
    {
        if (message.Generation == 0 || _handles[message.Slot] == 0 || _generations[message.Slot] != message.Generation)
            throw AlreadyReceived(message);
        var handle = _handles[message.Slot];
        _handles[message.Slot] = 0;
        _free[--Count] = message.Slot;
        return handle;
    }

    private static InvalidOperationException Full() => new($"{Capacity} messages are matched and not received; receive them before probing for more");

    private static InvalidOperationException AlreadyReceived(in MpiMessage message) =>
        new($"the message of {message.Bytes} bytes with tag {message.Tag} from rank {message.Source} was received already");
}
