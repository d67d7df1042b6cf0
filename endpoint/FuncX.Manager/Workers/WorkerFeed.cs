using FuncX.Manager.Engine;
using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.Workers;

/// <summary>Which tasks a worker is sent next, and how many ahead of the one it works on. Benchmark: throughput.</summary>
internal sealed class WorkerFeed(Node node, WorkerProcess worker, SentTasks sent, WorkerSocket socket)
{
    /// <summary>Appends tasks of the owner's queue to what the socket sends next, as far as the worker's window goes. Those whose time is over, or that the node does not outlast, are answered.</summary>
    /// <returns>How many.</returns>
    public int Append(int most, long now)
    {
        var queue = worker.Pool.Queue;
        var table = node.Table;
        var unixNow = Clock.UnixMicroseconds;
        var added = 0;
        while (added < most)
        {
            var slot = queue.First;
            if (slot < 0)
                break;
            ref var task = ref table[slot];
            if (task.DeadlineMicroseconds != 0 && unixNow > task.DeadlineMicroseconds)
            {
                queue.Remove(slot);
                node.Answers.Expired(slot);
                continue;
            }

            if (!node.Lasts(task, now))
            {
                queue.Remove(slot);
                node.Answers.Returned(slot);
                continue;
            }

            var function = task.Function!;
            var estimate = function.WritesRawOutput || (task.Flags & FrameFlags.Alone) != 0 ? NodeFunction.Unknown : function.EstimateMicroseconds;
            if (!FeedPolicy.HasRoom(sent.Count, sent.PendingMicroseconds, estimate, worker.Window) || !socket.HasRoom(task.Length, sent.Count))
                break;
            queue.Remove(slot);
            task.EstimateMicroseconds = Math.Max(estimate, FeedPolicy.LeastMicroseconds);
            task.Place = TaskPlace.AtWorker;
            task.Worker = worker;
            sent.Add(slot);
            socket.Append(function);
            socket.Append(task.Slab!, task.Offset, task.Length);
            added++;
        }

        return added;
    }
}
