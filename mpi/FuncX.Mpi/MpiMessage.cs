namespace FuncX.Mpi;

/// <summary>
/// A message that a probe has matched: it is set aside for whoever holds this value, and no other probe or receive sees it. It must be
/// received exactly once, by one of <see cref="MpiCommunicator"/>'s receives.
/// </summary>
public readonly record struct MpiMessage
{
    internal MpiMessage(MpiEnvelope envelope, int slot, uint generation) => (Envelope, Slot, Generation) = (envelope, slot, generation);

    /// <summary>Source, tag and length.</summary>
    public MpiEnvelope Envelope { get; }

    /// <summary>The rank that sent it.</summary>
    public int Source => Envelope.Source;

    /// <summary>The sender's tag.</summary>
    public int Tag => Envelope.Tag;

    /// <summary>Its length.</summary>
    public int Bytes => Envelope.Bytes;

    internal int Slot { get; }

    internal uint Generation { get; }
}
