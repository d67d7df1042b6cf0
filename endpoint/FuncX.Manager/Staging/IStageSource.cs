namespace FuncX.Manager.Staging;

/// <summary>Where a node has the files of <c>stage_in</c> from: the file system, or the other ranks of its world. Methods wait and are called by one thread.</summary>
internal interface IStageSource
{
    /// <summary>How many files there are, and how large they are together.</summary>
    /// <exception cref="StageException">It cannot be said now.</exception>
    StagePlan Plan(StageProgress progress);

    /// <summary>Brings a file into the cache, where its digest has been checked when this returns.</summary>
    /// <exception cref="StageException">It cannot be had now.</exception>
    StagedFile Bring(int index, StageCache cache, StageProgress progress);
}
