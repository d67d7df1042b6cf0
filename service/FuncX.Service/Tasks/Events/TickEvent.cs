namespace FuncX.Service.Tasks.Events;

/// <summary>The clock went on.</summary>
internal sealed class TickEvent : EngineEvent
{
    public override void Apply(Turn turn)
    {
        while (!turn.IsFull && turn.State.TryTakeDue(turn.Now, out var batch))
            turn.Expire(batch!);
        while (turn.State.TakeRested(turn.Now) is { } endpoint)
            turn.MakeReady(endpoint);
        GoesOn = turn.IsFull;
    }

    public override void Complete(bool inline)
    {
    }

    public override void Fail(string reason)
    {
    }
}
