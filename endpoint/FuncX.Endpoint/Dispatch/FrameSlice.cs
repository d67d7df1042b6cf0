namespace FuncX.Endpoint.Dispatch;

/// <summary>Whole frames, one after another, in a shared buffer. Whoever stores a slice holds one reference to its buffer.</summary>
public readonly record struct FrameSlice(PooledBuffer Buffer, int Offset, int Length)
{
    public ReadOnlyMemory<byte> Memory => Buffer.Array.AsMemory(Offset, Length);

    public ReadOnlySpan<byte> Span => Buffer.Array.AsSpan(Offset, Length);

    public bool IsFollowedBy(in FrameSlice next) => ReferenceEquals(Buffer, next.Buffer) && Offset + Length == next.Offset;
}
