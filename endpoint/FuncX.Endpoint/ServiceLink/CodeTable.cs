using System.Buffers;
using System.Text;
using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// Functions and owners that tasks refer to, under numbers of this process: they hold over links, and are the same towards every manager. Kept encoded, as
/// managers are told of them before the first task. On the loop only.
/// </summary>
internal sealed class CodeTable
{
    private readonly Dictionary<string, int> _functions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _owners = new(StringComparer.Ordinal);
    private readonly List<FrameSlice> _functionFrames = [default];
    private readonly List<FrameSlice> _ownerFrames = [default];

    /// <summary>The frames that tell of function <paramref name="number"/>; no reference is given.</summary>
    public FrameSlice Function(int number) => _functionFrames[number];

    public FrameSlice Owner(int number) => _ownerFrames[number];

    public int NumberOf(LinkFunction function)
    {
        if (_functions.TryGetValue(function.FunctionId, out var number))
            return number;
        number = _functionFrames.Count;
        var body = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["id"] = function.FunctionId,
            ["kind"] = function.Kind,
            ["name"] = function.Name,
            ["entry"] = function.Entry,
            ["source"] = Encoding.UTF8.GetString(function.Code.Span),
        });
        _functionFrames.Add(Encode(new FrameHeader { Kind = FrameKind.Function, Function = (uint)number, ContentType = ContentType.Json }, body));
        _functions.Add(function.FunctionId, number);
        return number;
    }

    public int NumberOf(LinkOwner owner)
    {
        if (_owners.TryGetValue(owner.Owner, out var number))
            return number;
        number = _ownerFrames.Count;
        var body = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal) { ["name"] = owner.Owner });
        _ownerFrames.Add(Encode(new FrameHeader { Kind = FrameKind.Owner, Owner = (uint)number, ContentType = ContentType.Json }, body));
        _owners.Add(owner.Owner, number);
        return number;
    }

    private static FrameSlice Encode(in FrameHeader header, byte[] body)
    {
        var writer = new ArrayBufferWriter<byte>(FrameHeader.Size + body.Length);
        FrameWriter.WriteSegmented(writer, header, body);
        return new FrameSlice(PooledBuffer.Wrap(writer.WrittenSpan.ToArray()), 0, writer.WrittenCount);
    }
}
