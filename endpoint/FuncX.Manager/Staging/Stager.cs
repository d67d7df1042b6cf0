namespace FuncX.Manager.Staging;

/// <summary>
/// Brings all files of a source into a cache, on a thread of its own that ends with that. What fails is tried again with pauses that grow: a file may come later, a disk
/// be emptied, a file system answer again.
/// </summary>
internal sealed class Stager(IStageSource source, string root, long limit, string who)
{
    private const int FirstPauseMilliseconds = 500;

    // To look for a file costs little, to bring much of one for nothing does not.
    private const int LongestPauseMilliseconds = 5_000;
    private const int LongestPauseAfterWorkMilliseconds = 30_000;
    private const int ToldEveryMilliseconds = 500;

    private readonly List<StagedFile> _done = [];
    private StageCache? _cache;

    public StageProgress Progress { get; } = new();

    /// <summary>Told of each file when it is there.</summary>
    public Action<int, StagedFile, string> OnFile { get; init; } = static (_, _, _) => { };

    /// <summary>Told now and then that there is progress, and of every problem.</summary>
    public Action OnProgress { get; init; } = static () => { };

    /// <summary>Told when all files are there.</summary>
    public Action<StageCache, IReadOnlyList<StagedFile>> OnEnd { get; init; } = static (_, _) => { };

    public void Start() => new Thread(Run) { IsBackground = true, Name = "staging" }.Start();

    private void Run()
    {
        var pause = FirstPauseMilliseconds;
        using var teller = new Timer(_ => OnProgress(), null, ToldEveryMilliseconds, ToldEveryMilliseconds);
        while (true)
        {
            var before = _done.Count;
            var longest = LongestPauseMilliseconds;
            try
            {
                BringAll();
                return;
            }
            catch (Exception problem) when (problem is StageException or IOException or UnauthorizedAccessException)
            {
                var whole = _done.Sum(static file => file.Bytes);
                if (Progress.BytesDone > whole)
                    longest = LongestPauseAfterWorkMilliseconds;
                Progress.Set(_done.Count, whole);
                if (Progress.Problem != problem.Message)
                    Console.Error.WriteLine($"funcx-manager {who}: stage_in: {problem.Message}");
                Progress.Problem = problem.Message;
                OnProgress();
            }

            pause = _done.Count > before ? FirstPauseMilliseconds : Math.Min(pause, longest);
            Thread.Sleep(pause);
            pause *= 2;
        }
    }

    private void BringAll()
    {
        Progress.Plan = source.Plan(Progress);
        _cache ??= new StageCache(root, limit);
        while (_done.Count < Progress.Plan.Files)
        {
            var file = source.Bring(_done.Count, _cache, Progress);
            // It may fail as everything may: the file is brought again then, which costs nothing, and told again.
            OnFile(_done.Count, file, _cache.PathOf(file));
            _done.Add(file);
            Progress.Set(_done.Count, _done.Sum(static each => each.Bytes));
            Progress.Problem = "";
        }

        Progress.Problem = "";
        try
        {
            OnEnd(_cache, _done);
        }
        catch
        {
            // Another process may have needed the room of a file that was in no set yet.
            _done.Clear();
            throw;
        }
    }
}
