namespace FuncX.Manager.Engine;

/// <summary>How many frames passed each hop since the process started.</summary>
internal sealed class Hops
{
    public long TasksReceived { get; set; }

    public long TasksToWorkers { get; set; }

    public long ResultsFromWorkers { get; set; }

    public long ResultsSent { get; set; }
}
