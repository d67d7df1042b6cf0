using FuncX.Manager.Staging;

namespace FuncX.Manager.World.Broadcast;

/// <summary>What the leader has brought from the file system, for the manager of its own node, which shares its cache.</summary>
internal sealed class LeaderFiles : IStageSource
{
    private const int LookMilliseconds = 200;

    private readonly object _gate = new();
    private readonly List<StagedFile> _files = [];
    private StageProgress? _leader;
    private bool _isEmpty;

    /// <param name="leader">Null: the leader was told of no files.</param>
    public void Begin(StageProgress? leader)
    {
        lock (_gate)
            (_leader, _isEmpty) = (leader, leader is null);
    }

    public void Add(int index, StagedFile file)
    {
        lock (_gate)
        {
            if (index == _files.Count)
                _files.Add(file);
            Monitor.PulseAll(_gate);
        }
    }

    public StagePlan Plan(StageProgress progress)
    {
        lock (_gate)
        {
            while (!_isEmpty && _leader is not { Plan.Files: > 0 })
                Wait(progress);
            return _leader?.Plan ?? default;
        }
    }

    public StagedFile Bring(int index, StageCache cache, StageProgress progress)
    {
        lock (_gate)
        {
            while (_files.Count <= index)
                Wait(progress);
            return _files[index];
        }
    }

    private void Wait(StageProgress progress)
    {
        Monitor.Wait(_gate, LookMilliseconds);
        if (_leader is null)
            return;
        progress.Problem = _leader.Problem;
        progress.Set(progress.FilesDone, _leader.BytesDone);
    }
}
