namespace FuncX.Manager.Workers;

/// <summary>How far a worker had come when it ended: what its owner's pool makes of it.</summary>
internal enum WorkerEnd
{
    /// <summary>A failed start.</summary>
    BeforeHello,

    /// <summary>It said hello and ended by itself without taking up a task: no better than a failed start.</summary>
    BeforeFirstTask,

    /// <summary>It took up a task, or was there until it was not needed any more.</summary>
    Served,

    /// <summary>It was ended before it took up one, which says nothing about it.</summary>
    Ended,
}
