using System.Threading.Tasks.Sources;

namespace FuncX.Service.Tasks;

/// <summary>
/// Something that happened and that the engine's next turn takes up. It is applied, then the turn is committed, then it is completed: in this order,
/// so nobody hears of anything that is not durable.
/// </summary>
internal abstract class EngineEvent
{
    /// <summary>Finds the answer in the state alone, when it is there: that works also while nothing can be made durable.</summary>
    public virtual bool TryAnswer(Turn turn) => false;

    /// <summary>Changes the state and writes what changed to the turn's chunk. Never throws for bad input: bad input was refused before.</summary>
    public abstract void Apply(Turn turn);

    /// <summary>
    /// Set by <see cref="Apply"/> when the turn is full before all is done: the event is applied again in the next turn, and completed after the last. What
    /// touches as many tasks as a queue holds does so, or one chunk would outgrow the store.
    /// </summary>
    public bool GoesOn { get; protected set; }

    /// <summary>The turn's chunk is durable (or the turn changed nothing).</summary>
    public abstract void Complete(bool inline);

    /// <summary>The turn's chunk could not be written; nothing of the event happened.</summary>
    public abstract void Fail(string reason);
}

/// <summary>An event whose sender waits for an answer.</summary>
/// <param name="brief">What its sender does then is so little that it may be done on the engine's thread: a hop to another costs more.</param>
internal abstract class EngineEvent<T>(bool brief = false) : EngineEvent, IValueTaskSource<T>
{
    private ManualResetValueTaskSourceCore<T> _core = new() { RunContinuationsAsynchronously = !brief };

    protected T Answer { get; set; } = default!;

    public ValueTask<T> Task => new(this, _core.Version);

    public override void Complete(bool inline) => _core.SetResult(Answer);

    public override void Fail(string reason) => _core.SetException(new Storage.StorageFullException(reason));

    protected void Set(T answer) => _core.SetResult(answer);

    public T GetResult(short token) => _core.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
