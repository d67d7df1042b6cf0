namespace FuncX.Tests.Mpi.Program;

/// <summary>Bytes that follow from a seed, so that the receiver knows every one of them.</summary>
internal static class Pattern
{
    public static void Fill(Span<byte> body, int seed)
    {
        var state = ((uint)seed * 2654435761u) + 1;
        for (var i = 0; i < body.Length; i++)
        {
            state = (state * 1664525u) + 1013904223u;
            body[i] = (byte)(state >> 24);
        }
    }

    public static void Verify(ReadOnlySpan<byte> body, int seed)
    {
        var state = ((uint)seed * 2654435761u) + 1;
        for (var i = 0; i < body.Length; i++)
        {
            state = (state * 1664525u) + 1013904223u;
            if (body[i] != (byte)(state >> 24))
                throw new InvalidOperationException($"byte {i} of {body.Length} is {body[i]}, expected {(byte)(state >> 24)} (seed {seed})");
        }
    }
}
