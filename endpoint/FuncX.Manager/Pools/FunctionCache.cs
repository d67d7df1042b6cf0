using System.Buffers.Binary;
using FuncX.Manager.Engine;
using FuncX.Wire;

namespace FuncX.Manager.Pools;

/// <summary>
/// One owner's functions: what workers are told of them, and what their tasks are known to last. Found by content, so that a function which the endpoint tells
/// again, under another number of another connection, is the one that the workers know. No owner learns from another's.
/// </summary>
internal sealed class FunctionCache(FunctionNumbers numbers)
{
    private readonly Dictionary<string, NodeFunction> _functions = new(StringComparer.Ordinal);

    public int Count => _functions.Count;

    /// <summary>The digest that names a whole <c>Function</c> message, whatever its number.</summary>
    public static string ContentOf(ReadOnlySpan<byte> frames) => FunctionDigest.Of(frames).ToString();

    /// <summary>The frames of a function that is kept here; null: it is not.</summary>
    public byte[]? FramesOf(string content) => _functions.TryGetValue(content, out var function) ? function.Slab.GetSpan().ToArray() : null;

    public NodeFunction Find(string content, ReadOnlySpan<byte> frames)
    {
        if (_functions.TryGetValue(content, out var function))
            return function;
        var number = numbers.Next();
        var slab = SlabPool.Single(frames.Length);
        var copy = slab.GetSpan();
        frames.CopyTo(copy);
        for (var rest = copy; rest.Length > 0; rest = rest[BinaryPrimitives.ReadInt32LittleEndian(rest)..])
            BinaryPrimitives.WriteUInt32LittleEndian(rest[FrameHeader.FunctionOffset..], number);
        function = new NodeFunction(number, slab);
        _functions.Add(content, function);
        return function;
    }

    /// <summary>Forgets what nothing uses. Right only when the endpoint tells every function again before it is used: on a new connection.</summary>
    public void Forget(Func<NodeFunction, bool> isUsed)
    {
        foreach (var (content, function) in _functions)
        {
            if (isUsed(function))
                continue;
            _functions.Remove(content);
            function.Slab.Release();
        }
    }
}
