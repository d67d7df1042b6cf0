using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>A message that frames are appended to while they fit.</summary>
internal ref struct FrameOutput(Span<byte> bytes)
{
    private readonly Span<byte> _bytes = bytes;

    /// <summary>Bytes filled.</summary>
    public int Used { get; private set; }

    public readonly int Room => _bytes.Length - Used;

    /// <summary>The next so many bytes.</summary>
    public Span<byte> Take(int count)
    {
        var span = _bytes.Slice(Used, count);
        Used += count;
        return span;
    }

    /// <summary>Appends a frame; false when it does not fit.</summary>
    public bool TryAdd(FrameHeader header, ReadOnlySpan<byte> body)
    {
        header.BodyLength = body.Length;
        if (Room < header.FrameLength)
            return false;
        header.Write(Take(FrameHeader.Size));
        body.CopyTo(Take(body.Length));
        return true;
    }
}
