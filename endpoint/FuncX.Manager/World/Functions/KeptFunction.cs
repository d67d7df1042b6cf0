using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.World.Functions;

/// <summary>
/// What the leader tells a rank of a function: the digest of its body, and the body itself when that fits into a message with the tasks around it, which goes there anyway. A larger one comes
/// down the ranks.
/// </summary>
internal sealed class KeptFunction
{
    private const int NoticeBytes = FrameHeader.Size + FunctionNotice.Size;

    private readonly uint _number;
    private readonly FunctionNotice _notice;
    private readonly byte[] _body;

    public KeptFunction(uint number, FunctionDigest digest, FunctionContent content)
    {
        var isSmall = NoticeBytes + FrameHeader.Size + content.Bytes <= FrameRouter.MessageBytes;
        (_number, Digest, _body) = (number, digest, isSmall ? content.ToArray() : []);
        _notice = new FunctionNotice(digest, isSmall ? 0 : content.Bytes);
    }

    public FunctionDigest Digest { get; }

    /// <summary>Of the frames that tell it.</summary>
    public int Length => NoticeBytes + (_body.Length > 0 ? FrameHeader.Size + _body.Length : 0);

    /// <summary>Writes the frames for a manager.</summary>
    public void Write(Span<byte> output, uint destination)
    {
        var header = new FrameHeader { Kind = FrameKind.FunctionDigest, Function = _number, Destination = destination, BodyLength = FunctionNotice.Size };
        header.Write(output);
        _notice.Write(output[FrameHeader.Size..]);
        if (_body.Length == 0)
            return;
        output = output[NoticeBytes..];
        (header with { Kind = FrameKind.Function, ContentType = ContentType.Json, BodyLength = _body.Length }).Write(output);
        _body.CopyTo(output[FrameHeader.Size..]);
    }
}
