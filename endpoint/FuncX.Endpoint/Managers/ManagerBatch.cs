using FuncX.Endpoint.Dispatch;

namespace FuncX.Endpoint.Managers;

/// <summary>Whole frames that came from a manager. One per connection, posted again and again.</summary>
internal sealed class ManagerBatch(ManagerConnection connection) : AwaitedEvent
{
    public FrameSlice Frames { get; set; }

    internal override void Handle(Dispatcher dispatcher) => dispatcher.Managers.OnFrames(connection, Frames);
}
