namespace FuncX.Service.Tasks.Events;

/// <summary>A look at the state between two events.</summary>
internal sealed class LookEvent<T>(Func<LiveState, T> look) : EngineEvent<T>
{
    public override void Apply(Turn turn) => Answer = look(turn.State);

    public override bool TryAnswer(Turn turn)
    {
        Apply(turn);
        return true;
    }
}
