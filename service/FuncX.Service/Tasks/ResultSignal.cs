using System.Threading.Tasks.Sources;

namespace FuncX.Service.Tasks;

/// <summary>Wakes one stream of results. Raising it while nobody waits is remembered; raising it twice is once.</summary>
public sealed class ResultSignal : IValueTaskSource<bool>
{
    private readonly object _gate = new();
    private ManualResetValueTaskSourceCore<bool> _core;
    private bool _waiting;
    private bool _raised;

    /// <summary>Completes at the next <see cref="Raise"/>; one waiter at a time.</summary>
    public ValueTask<bool> WaitAsync()
    {
        lock (_gate)
        {
            if (_raised)
            {
                _raised = false;
                return new ValueTask<bool>(true);
            }

            _core.Reset();
            _waiting = true;
            return new ValueTask<bool>(this, _core.Version);
        }
    }

    /// <param name="inline">Go on with the waiter on this thread: saves a thread hop when nothing else is to do.</param>
    public void Raise(bool inline)
    {
        lock (_gate)
        {
            if (!_waiting)
            {
                _raised = true;
                return;
            }

            _waiting = false;
            _core.RunContinuationsAsynchronously = !inline;
        }

        _core.SetResult(true);
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
