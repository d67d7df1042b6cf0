namespace FuncX.Mpi;

/// <summary>
/// A message that a probe has matched: it is set aside for whoever holds this value, and no other probe or receive sees it. It must be
/// received exactly once, by one of <see cref="MpiCommunicator"/>'s receives.
/// </summary>
public readonly record struct MpiMessage
{
    internal MpiMessage(int source, int tag, int bytes, int slot, uint generation)
    {
        Source = source;
        Tag = tag;
        Bytes = bytes;
        Slot = slot;
        Generation = generation;
    }

    /// <summary>Source, tag and length.</summary>
    public MpiEnvelope Envelope => new(Source, Tag, Bytes);

    /// <summary>The rank that sent it.</summary>
    public int Source { get; }

    /// <summary>The sender's tag.</summary>
    public int Tag { get; }

    /// <summary>Its length.</summary>
    public int Bytes { get; }

    internal int Slot { get; }

    internal uint Generation { get; }
}
