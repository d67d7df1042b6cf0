namespace FuncX.Endpoint.Dispatch;

/// <summary>A task's frames: one, or one and its segments. Holds a reference to each buffer.</summary>
internal struct TaskPayload
{
    public FrameSlice First;
    public FrameSlice[]? Rest;

    public void Release()
    {
        First.Buffer?.Release();
        if (Rest is not null)
        {
            foreach (var frame in Rest)
                frame.Buffer.Release();
        }

        this = default;
    }
}
