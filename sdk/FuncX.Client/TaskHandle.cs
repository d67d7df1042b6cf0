using System.Runtime.CompilerServices;
using FuncX.Client.Calls;
using FuncX.Wire;

namespace FuncX.Client;

/// <summary>
/// One submitted call. Awaiting it gives its value, or throws <see cref="RemoteTaskException"/> when the task ended otherwise; it can be awaited any number of
/// times and by any thread. A handle is two words: thousands cost an array, not thousands of objects.
/// </summary>
/// <typeparam name="T">What the value is read as.</typeparam>
public readonly struct TaskHandle<T>
{
    private readonly CallBatch<T> _batch;
    private readonly int _index;

    internal TaskHandle(CallBatch<T> batch, int index) => (_batch, _index) = (batch, index);

    /// <summary>The task; known before the service knows it.</summary>
    public TaskId Id => new(_batch.Id, (uint)_index);

    /// <summary>Completes when the service has the call durably, or with the reason why it does not.</summary>
    public Task Accepted => _batch.Accepted;

    /// <summary>True when the outcome is here.</summary>
    public bool IsCompleted => _batch.IsCompleted(_index);

    /// <summary>The outcome as a task, to combine with others or to wait for with a limit (<c>handle.AsTask().WaitAsync(...)</c>).</summary>
    public Task<T> AsTask() => _batch.Outcome(_index);

    public TaskAwaiter<T> GetAwaiter() => AsTask().GetAwaiter();
}
