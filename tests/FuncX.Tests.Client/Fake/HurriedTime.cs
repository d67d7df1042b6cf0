using Microsoft.Extensions.Time.Testing;

namespace FuncX.Tests.Client.Fake;

/// <summary>A clock on which every wait is over at once, and has taken its time all the same. Between waits it stands.</summary>
public sealed class HurriedTime : FakeTimeProvider
{
    private readonly Lock _gate = new();
    private readonly Lock _moving = new();
    private TaskCompletionSource? _looked;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_moving)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            if (dueTime > TimeSpan.Zero)
                ThreadPool.QueueUserWorkItem(_ => Advance(dueTime));
            return timer;
        }
    }

    /// <summary>The clock of the base class is for one thread at a time: a wait that begins while another moves it might never be over.</summary>
    public new void Advance(TimeSpan delta)
    {
        lock (_moving)
            base.Advance(delta);
    }

    public override long GetTimestamp()
    {
        // First: a test that is told moves the clock.
        var now = base.GetTimestamp();
        lock (_gate)
            _looked?.TrySetResult();
        return now;
    }

    /// <summary>Completes when somebody measures time after now: how a test knows that the client has seen what it was just sent.</summary>
    public Task NextLook()
    {
        lock (_gate)
            return (_looked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }
}
