using FuncX.Endpoint.Dispatch;

namespace FuncX.Endpoint.Managers;

/// <summary>Frames of a large result, kept where they came in until the last one is there.</summary>
internal sealed class PartialResult(long wholeBytes)
{
    public List<FrameSlice> Frames { get; } = [];

    public long WholeBytes { get; } = wholeBytes;

    public long Bytes { get; set; }

    public void Add(in FrameSlice frame, int bodyBytes)
    {
        frame.Buffer.Retain();
        Frames.Add(frame);
        Bytes += bodyBytes;
    }

    public void Release()
    {
        foreach (var frame in Frames)
            frame.Buffer.Release();
        Frames.Clear();
    }
}
