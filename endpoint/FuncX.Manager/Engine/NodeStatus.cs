using System.Text.Json;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using FuncX.Manager.Workers;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>Tells the endpoint how the node does, when that changed.</summary>
internal sealed class NodeStatus(Node node)
{
    private long _told = -1;
    private string _note = "";
    private bool _draining;

    /// <summary>True when anything happened since the last status.</summary>
    public bool Changed => Activity != _told || !ReferenceEquals(_note, node.LastNote);

    /// <summary>The endpoint has not been told yet that the node drains: until it is, it sends tasks that only come back.</summary>
    public bool HidesDrain => node.Draining != _draining;

    private long Activity
    {
        get
        {
            var activity = node.Hops.TasksReceived + node.Hops.TasksToWorkers + node.Hops.ResultsFromWorkers + node.FunctionCounts.Sum;
            foreach (var pool in node.Pools)
                activity += pool.Workers.Count + pool.Starting;
            return activity;
        }
    }

    public void Write(bool afterResults)
    {
        var workers = 0;
        var busy = 0;
        var queued = node.TasksWithoutFunction;
        foreach (var pool in node.Pools)
        {
            queued += pool.Queue.Count;
            foreach (var worker in pool.Workers)
            {
                workers += worker.State == WorkerState.Ready ? 1 : 0;
                busy += worker.Outstanding > 0 ? 1 : 0;
            }
        }

        _told = Activity;
        _note = node.LastNote;
        _draining = node.Draining;
        var hops = new StatusHops(
            node.Hops.TasksReceived,
            node.Hops.TaskBytesReceived,
            node.Hops.TasksToWorkers,
            node.Hops.ResultsFromWorkers,
            node.Hops.ResultBytesReceived,
            node.Hops.ResultsSent,
            node.Hops.TaskBytesCopied + node.Outbox.CopiedBytes,
            GC.GetTotalAllocatedBytes(),
            node.FunctionCounts.Received,
            node.FunctionCounts.BytesReceived,
            node.FunctionCounts.BytesSent);
        var body = JsonSerializer.SerializeToUtf8Bytes(new Status(workers, busy, queued, _note, node.Runtimes.Versions, node.Staging.Status, node.Draining, hops), MessageJson.Default.Status);
        node.Outbox.Control(new FrameHeader { Kind = FrameKind.Status }, body, afterResults);
    }
}
