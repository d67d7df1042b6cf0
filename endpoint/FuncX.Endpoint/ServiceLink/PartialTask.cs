using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>Frames of a large task, kept where they came in until the last one is there. Holds a reference to each.</summary>
internal sealed class PartialTask(FrameHeader header, FrameSlice first, long wholeBytes)
{
    public FrameHeader Header { get; } = header;

    public FrameSlice First { get; } = first;

    public List<FrameSlice> Rest { get; } = [];

    public long WholeBytes { get; } = wholeBytes;

    public long Bytes { get; private set; } = FrameHeader.MaxBody - sizeof(long);

    public int FrameBytes { get; private set; } = FrameHeader.MaxFrame;

    public void Add(in FrameSlice frame, int bodyBytes)
    {
        frame.Buffer.Retain();
        Rest.Add(frame);
        Bytes += bodyBytes;
        FrameBytes += frame.Length;
    }

    public void Release()
    {
        First.Buffer.Release();
        foreach (var frame in Rest)
            frame.Buffer.Release();
    }
}
