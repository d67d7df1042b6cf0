using System.Buffers.Binary;
using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>
/// The frames of one function as the endpoint sent them to the leader. What waits for many ranks is this one copy: a rank's queue has a reference, and frames are copied when they are
/// sent. Whole it does not change any more. Under the leader's lock.
/// </summary>
internal sealed class KeptFunction
{
    private byte[] _bytes = [];
    private int _waits;

    public bool Whole { get; private set; }

    public int Length { get; private set; }

    public void Add(ReadOnlySpan<byte> frame, bool last)
    {
        if (Length + frame.Length > _bytes.Length)
            Array.Resize(ref _bytes, last ? Length + frame.Length : Math.Max(2 * _bytes.Length, Length + frame.Length));
        frame.CopyTo(_bytes.AsSpan(Length));
        Length += frame.Length;
        Whole = last;
    }

    /// <summary>Bytes of the frames from a place on that go in one message.</summary>
    public int PartAt(int at) => FrameRouter.Part(_bytes.AsSpan(at, Length - at));

    /// <summary>Copies whole frames, from a place on, for a manager.</summary>
    public void CopyTo(Span<byte> output, int at, uint destination)
    {
        _bytes.AsSpan(at, output.Length).CopyTo(output);
        for (var frame = 0; frame < output.Length; frame += BinaryPrimitives.ReadInt32LittleEndian(output[frame..]))
            BinaryPrimitives.WriteUInt32LittleEndian(output[(frame + FrameHeader.DestinationOffset)..], destination);
    }

    /// <summary>It waits for one rank more; returns by how much what waits has grown.</summary>
    public int Wait() => _waits++ == 0 ? Length : 0;

    /// <summary>It waits for one rank less; returns by how much less waits.</summary>
    public int Release() => --_waits == 0 ? Length : 0;
}
