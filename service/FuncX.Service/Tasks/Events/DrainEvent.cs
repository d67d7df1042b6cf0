using FuncX.Service.Links;

namespace FuncX.Service.Tasks.Events;

/// <summary>The endpoint of a link stops.</summary>
internal sealed class DrainEvent(LinkSession link) : EngineEvent
{
    public override void Apply(Turn turn) => link.Draining = true;

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
