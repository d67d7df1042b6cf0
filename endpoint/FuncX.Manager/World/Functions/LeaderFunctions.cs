using System.Buffers.Binary;
using FuncX.Manager.Pools;
using FuncX.Mpi;
using FuncX.Wire;

namespace FuncX.Manager.World.Functions;

/// <summary>
/// The functions that the endpoint has sent to the leader once, for the managers behind it. It decides nothing: the endpoint says which to keep, which to tell to whom, and which
/// to forget, so what is kept is bounded there. No manager hears of a function that none of its tasks uses. Under the leader's lock.
/// </summary>
/// <param name="buffers">Where bodies lie.</param>
/// <param name="keep">Is given the body of each that is to be kept, for the ranks below.</param>
/// <param name="forget">Is told of each that need not be kept any longer.</param>
internal sealed class LeaderFunctions(MpiBufferPool buffers, Action<FunctionDigest, FunctionContent> keep, Action<FunctionDigest> forget)
{
    private readonly Dictionary<uint, KeptFunction> _functions = [];
    private readonly Dictionary<uint, ArrivingFunction> _arriving = [];

    public void Clear()
    {
        foreach (var function in _functions.Values)
            forget(function.Digest);
        _functions.Clear();
        foreach (var function in _arriving.Values)
            function.Drop();
        _arriving.Clear();
    }

    /// <summary>Takes a frame of kind <c>Function</c> or <c>Segment</c> that is the leader's own.</summary>
    /// <returns>The function and the manager that it is to be told to; null in most cases.</returns>
    /// <exception cref="FrameException">The endpoint sent what it must not.</exception>
    public KeptFunction? Take(in FrameHeader header, ReadOnlySpan<byte> frame, out uint destination)
    {
        destination = header.Ticket;
        if (header.Kind == FrameKind.Segment)
        {
            if (!_arriving.TryGetValue(header.Function, out var begun))
                throw new FrameException($"a segment of function {header.Function} without a beginning");
            Continue(begun, frame[FrameHeader.Size..], isLast: (header.Flags & FrameFlags.Last) != 0);
            return null;
        }

        if (header.BodyLength > 0)
        {
            Begin(header, frame[FrameHeader.Size..]);
            return null;
        }

        if (destination == 0)
        {
            Forget(header.Function);
            return null;
        }

        return _functions.TryGetValue(header.Function, out var told)
            ? told
            : throw new FrameException($"manager {destination} is to be told function {header.Function}, which was not sent before");
    }

    private void Begin(in FrameHeader header, ReadOnlySpan<byte> body)
    {
        long bytes = body.Length;
        var isWhole = (header.Flags & FrameFlags.Segmented) == 0;
        if (!isWhole)
        {
            if (body.Length < sizeof(long))
                throw new FrameException($"function {header.Function} begins with {body.Length} bytes");
            bytes = BinaryPrimitives.ReadInt64LittleEndian(body);
            body = body[sizeof(long)..];
        }

        Forget(header.Function);
        if (_arriving.Remove(header.Function, out var begun))
            begun.Drop();
        var arriving = new ArrivingFunction(buffers, header.Function, bytes);
        _arriving[header.Function] = arriving;
        Continue(arriving, body, isWhole);
    }

    private void Continue(ArrivingFunction function, ReadOnlySpan<byte> body, bool isLast)
    {
        if (function.Add(body) != isLast)
            throw new FrameException($"the segments of function {function.Number} do not make up the announced length");
        if (!isLast)
            return;
        _arriving.Remove(function.Number);
        var content = function.Complete(out var digest);
        _functions[function.Number] = new KeptFunction(function.Number, digest, content);
        keep(digest, content);
    }

    private void Forget(uint number)
    {
        if (_functions.Remove(number, out var function))
            forget(function.Digest);
    }
}
