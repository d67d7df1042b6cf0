using FuncX.Endpoint.Dispatch;

namespace FuncX.Endpoint.Managers;

/// <summary>Frames of a large result, kept where they came in until the last one is there; only the first of one that is too large.</summary>
internal sealed class PartialResult(long wholeBytes, bool kept)
{
    public List<FrameSlice> Frames { get; } = [];

    public long WholeBytes { get; } = wholeBytes;

    /// <summary>False: it is too large, what follows its first frame is only counted.</summary>
    public bool Kept { get; } = kept;

    public long Bytes { get; set; }

    public void Add(in FrameSlice frame, int bodyBytes)
    {
        Bytes += bodyBytes;
        if (!Kept && Frames.Count > 0)
            return;
        frame.Buffer.Retain();
        Frames.Add(frame);
    }

    public void Release()
    {
        foreach (var frame in Frames)
            frame.Buffer.Release();
        Frames.Clear();
    }
}
