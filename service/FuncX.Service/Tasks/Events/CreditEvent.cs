using FuncX.Service.Links;

namespace FuncX.Service.Tasks.Events;

/// <summary>Credit that an endpoint gives.</summary>
internal sealed class CreditEvent(LinkSession link, ulong tasks, ulong bytes) : EngineEvent
{
    public override void Apply(Turn turn)
    {
        link.CreditTasks = Math.Max(link.CreditTasks, tasks);
        link.CreditBytes = Math.Max(link.CreditBytes, bytes);
        if (link.Endpoint is { } endpoint && endpoint.Link == link && turn.State.Has(endpoint))
            turn.MakeReady(endpoint);
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
