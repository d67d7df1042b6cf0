using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace FuncX.Manager.Launching;

/// <summary>
/// What the agent does that may take long or never end: files of a file system that all nodes share, questions to the scheduler. One piece after the other on a thread of its own; time, signals and the spawner
/// wait for none. There is one piece at most for each world, and one look at all of them.
/// </summary>
internal sealed class SlowWork
{
    private readonly Action<Action> _post;
    private readonly BlockingCollection<Func<Action>> _pieces = [];

    /// <param name="post">Has the agent's thread do something.</param>
    public SlowWork(Action<Action> post)
    {
        _post = post;
        new Thread(Work) { IsBackground = true, Name = "slow work" }.Start();
    }

    /// <summary>From the agent's thread.</summary>
    /// <param name="piece">Done on the other thread; what it returns is done on the agent's when it is over.</param>
    public void Begin(Func<Action> piece) => _pieces.Add(piece);

    private void Work()
    {
        foreach (var piece in _pieces.GetConsumingEnumerable())
            _post(Do(piece));
    }

    private static Action Do(Func<Action> piece)
    {
        try
        {
            return piece();
        }
        catch (Exception unexpected)
        {
            return () => ExceptionDispatchInfo.Throw(unexpected);
        }
    }
}
