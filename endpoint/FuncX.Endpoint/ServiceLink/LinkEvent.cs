using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>A message that came over the link. One per link, posted again and again.</summary>
internal sealed class LinkEvent(LinkSession session) : AwaitedEvent
{
    public IncomingMessage? Incoming { get; set; }

    /// <summary>What was wrong with it; the link ends.</summary>
    public FrameException? Problem { get; private set; }

    internal override void Handle(Dispatcher dispatcher)
    {
        try
        {
            if (Incoming!.Message is { } message)
                dispatcher.Link.OnMessage(session, message);
            else
                dispatcher.Link.OnTasks(session, Incoming.Tasks);
        }
        catch (FrameException problem)
        {
            Problem = problem;
        }
    }
}
