namespace FuncX.Service.Tasks.Events;

/// <summary>The clock went on.</summary>
internal sealed class TickEvent : EngineEvent
{
    public override void Apply(Turn turn)
    {
        while (!turn.IsFull && turn.State.TryTakeDue(turn.Now, out var batch))
            turn.Expire(batch!);
        GoesOn = turn.IsFull;
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
