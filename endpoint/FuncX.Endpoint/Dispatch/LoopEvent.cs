using System.Threading.Tasks.Sources;

namespace FuncX.Endpoint.Dispatch;

/// <summary>Something that happened, to be handled by the endpoint's loop in one of its turns.</summary>
public abstract class LoopEvent
{
    internal LoopEvent? Next { get; set; }

    /// <summary>Runs on the loop, alone.</summary>
    internal abstract void Handle(Dispatcher dispatcher);

    /// <summary>Runs on the loop after <see cref="Handle"/>.</summary>
    internal virtual void Handled()
    {
    }
}

/// <summary>An event whose producer waits until it has been handled before it makes the next: what bounds the loop's inbox. Reusable, one at a time.</summary>
public abstract class AwaitedEvent : LoopEvent, IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };

    public void GetResult(short token) => _source.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _source.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    internal ValueTask Begin()
    {
        _source.Reset();
        return new ValueTask(this, _source.Version);
    }

    internal override void Handled() => _source.SetResult(true);
}

/// <summary>An event that is rare enough to be a delegate.</summary>
internal sealed class ActionEvent(Action<Dispatcher> action) : AwaitedEvent
{
    internal override void Handle(Dispatcher dispatcher) => action(dispatcher);
}
