namespace FuncX.Manager.Workers;

/// <summary>How far a worker's life has come.</summary>
internal enum WorkerState
{
    /// <summary>Forked, not yet greeted.</summary>
    Greeting,

    Ready,

    /// <summary>It gets no more tasks and ends when it has none, or is being killed.</summary>
    Leaving,

    Gone,
}
