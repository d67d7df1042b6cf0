using FuncX.Manager.Pools;
using FuncX.Mpi;
using FuncX.Wire;

namespace FuncX.Manager.World.Functions;

/// <summary>A function on its way from the endpoint to the leader: its body is cut into the pieces that go down the ranks, and its digest taken, while it comes.</summary>
internal sealed class ArrivingFunction
{
    private readonly MpiBufferPool _buffers;
    private readonly FunctionContent _content;
    private readonly List<MpiBuffer> _messages = [];
    private int _filled;

    /// <exception cref="FrameException">There is no such function.</exception>
    public ArrivingFunction(MpiBufferPool buffers, uint number, long bytes)
    {
        if (bytes is <= 0 or > FunctionNotice.MostBytes)
            throw new FrameException($"function {number} has {bytes} bytes; at most {FunctionNotice.MostBytes} are possible");
        (_buffers, Number, _content) = (buffers, number, new FunctionContent(bytes));
    }

    public uint Number { get; }

    /// <summary>More of its body. True when it is whole.</summary>
    /// <exception cref="FrameException">It is more than was announced.</exception>
    public bool Add(ReadOnlySpan<byte> body)
    {
        while (!body.IsEmpty)
        {
            if (_content.IsWhole)
                throw new FrameException($"function {Number} has more than the {_content.Bytes} bytes that were announced");
            if (_filled == 0)
                _messages.Add(_buffers.Rent(FunctionPrefix.Size + _content.NextBytes));
            var room = _messages[^1].Span[(FunctionPrefix.Size + _filled)..];
            var part = body[..Math.Min(room.Length, body.Length)];
            part.CopyTo(room);
            _filled += part.Length;
            body = body[part.Length..];
            if (part.Length < room.Length)
                continue;
            _content.Add(new FunctionPiece(_messages[^1]));
            _filled = 0;
        }

        return _content.IsWhole;
    }

    /// <summary>The whole of it, which is the caller's.</summary>
    public FunctionContent Complete(out FunctionDigest digest)
    {
        digest = _content.Seal();
        long offset = 0;
        foreach (var message in _messages)
        {
            new FunctionPrefix(digest, _content.Bytes, offset).Write(message.Span);
            offset += FunctionContent.PieceBytes;
        }

        return _content;
    }

    /// <summary>It will not become whole.</summary>
    public void Drop()
    {
        if (_filled > 0)
            _messages[^1].Dispose();
        _content.Drop();
    }
}
