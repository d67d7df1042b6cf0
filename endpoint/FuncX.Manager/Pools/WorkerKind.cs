using System.Buffers;
using System.Buffers.Binary;
using FuncX.Manager.Link;
using FuncX.Wire;

namespace FuncX.Manager.Pools;

/// <summary>What runs a function.</summary>
internal enum WorkerKind
{
    /// <summary>A kind that this release does not know: nothing runs it.</summary>
    Other,

    Python,

    Command,

    Dotnet,
}

internal static class WorkerKinds
{
    /// <summary>The kind of worker that a whole <c>Function</c> message, segments included, is for.</summary>
    /// <exception cref="FrameException">It is no function.</exception>
    public static WorkerKind Of(ReadOnlySpan<byte> frames)
    {
        var body = new ArrayBufferWriter<byte>(frames.Length);
        var skip = (FrameHeader.Read(frames).Flags & FrameFlags.Segmented) != 0 ? sizeof(long) : 0;
        for (; frames.Length > 0; skip = 0)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(frames);
            body.Write(frames[(FrameHeader.Size + skip)..length]);
            frames = frames[length..];
        }

        return MessageBody.Read(FrameKind.Function, body.WrittenSpan, MessageJson.Default.FunctionKindName).Kind switch
        {
            "python" => WorkerKind.Python,
            "command" => WorkerKind.Command,
            "dotnet" => WorkerKind.Dotnet,
            _ => WorkerKind.Other,
        };
    }
}
