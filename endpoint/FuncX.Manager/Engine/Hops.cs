namespace FuncX.Manager.Engine;

/// <summary>How many frames passed each hop since the process started, and how many of their bytes were copied on the way.</summary>
internal sealed class Hops
{
    public long TasksReceived { get; set; }

    public long TaskBytesReceived { get; set; }

    public long TasksToWorkers { get; set; }

    public long ResultsFromWorkers { get; set; }

    public long ResultBytesReceived { get; set; }

    /// <summary>Tasks' bytes that were moved since the link's buffer had cut their frame; results' copies are the outbox's to count.</summary>
    public long TaskBytesCopied { get; set; }

    public long ResultsSent { get; set; }
}
