using FuncX.Manager.Interop;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>
/// Tasks that a SIGTERM from outside ended, by what their workers say. Who signals every process of a job reaches some before others: for a moment it is not known whether the node is told to
/// end, too, and they were cut off, or these alone are lost. The engine's turn owns it.
/// </summary>
internal sealed class InterruptedTasks(Node node)
{
    /// <summary>So long the node may take to hear it, too.</summary>
    public const long WordMicroseconds = 250_000;

    private readonly List<Interrupted> _waiting = [];

    private readonly record struct Interrupted(int Slot, int Worker, byte[] Stdout, byte[] Stderr, long Due);

    /// <summary>A task's worker has answered, and has it no more; the task keeps its slot until more is known.</summary>
    public void Add(int slot, int worker, byte[] stdout, byte[] stderr, long now)
    {
        ref var task = ref node.Table[slot];
        (task.Place, task.Worker) = (TaskPlace.Interrupted, null);
        _waiting.Add(new Interrupted(slot, worker, stdout, stderr, now + WordMicroseconds));
        node.Arm(Answer(now), now);
    }

    /// <summary>Answers those of which is known what befell them, and says when to ask again.</summary>
    public long Answer(long now)
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            var task = _waiting[i];
            if (!node.IsToldToEnd && now < task.Due)
                continue;
            _waiting.RemoveAt(i);
            if (node.IsToldToEnd)
                node.Answers.CutOff(task.Slot, node.ToldToEnd, task.Stdout, task.Stderr);
            else
                node.Answers.Failure(task.Slot, TaskOutcome.AttemptLost, -Libc.SIGTERM, "WorkerLost", $"worker {task.Worker} on node {node.Name} was told to end by SIGTERM while it ran the task", task.Stdout, task.Stderr);
        }

        return _waiting.Count == 0 ? long.MaxValue : _waiting.Min(static task => task.Due);
    }
}
