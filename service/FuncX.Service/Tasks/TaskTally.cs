using FuncX.Wire;

namespace FuncX.Service.Tasks;

/// <summary>What has happened to tasks since the start, durably. Written by the turn; any thread may read.</summary>
public sealed class TaskTally
{
    private readonly long[] _done = new long[(int)TaskOutcome.Expired + 1];
    private long _submitted;
    private long _dispatched;
    private long _attemptsLost;

    public long Submitted => Volatile.Read(ref _submitted);

    /// <summary>How often a task was given to a link.</summary>
    public long Dispatched => Volatile.Read(ref _dispatched);

    /// <summary>Executions that an endpoint said are lost.</summary>
    public long AttemptsLost => Volatile.Read(ref _attemptsLost);

    /// <summary>Told of every commit: how long it took in seconds, and its bytes. Set once, before work begins.</summary>
    public Action<double, long>? OnCommit { get; set; }

    public long Done(TaskOutcome outcome) => Volatile.Read(ref _done[(int)outcome]);

    internal void Add(long submitted, long dispatched, long attemptsLost)
    {
        Volatile.Write(ref _submitted, _submitted + submitted);
        Volatile.Write(ref _dispatched, _dispatched + dispatched);
        Volatile.Write(ref _attemptsLost, _attemptsLost + attemptsLost);
    }

    internal void AddDone(TaskOutcome outcome) => Volatile.Write(ref _done[(int)outcome], _done[(int)outcome] + 1);
}
