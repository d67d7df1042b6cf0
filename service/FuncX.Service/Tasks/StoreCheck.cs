using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Tasks;

/// <summary>What a check has read, and what is wrong with it.</summary>
/// <param name="Chunks">Group commits in tasks.db.</param>
/// <param name="Submitted">Tasks whose submission is in them.</param>
/// <param name="Results">Outcomes in them.</param>
/// <param name="Unfinished">Tasks that have no outcome yet.</param>
/// <param name="Labels">Labels of groups.</param>
/// <param name="Bodies">Large arguments and results in segment files that were read and compared with their digests.</param>
/// <param name="BodyBytes">Their bytes.</param>
/// <param name="Problems">A sentence each, the first <see cref="StoreCheck.MostProblems"/>; empty: it is sound.</param>
internal sealed record StoreReport(long Chunks, long Submitted, long Results, long Unfinished, long Labels, long Bodies, long BodyBytes, IReadOnlyList<string> Problems);

/// <summary>
/// Reads everything that a store keeps as a start and its clients would: every chunk, the live state, and each large body
/// that somebody may still ask for. Goes on after what it finds, and changes nothing of it.
/// </summary>
internal sealed class StoreCheck : IChangeTarget
{
    public const int MostProblems = 100;

    private readonly TaskStore _store;
    private readonly ChunkDecoder _decoder = new();
    private readonly List<string> _problems = [];
    private readonly byte[] _piece = new byte[1 << 20];
    private bool _mayHaveExpired;
    private long _chunks;
    private long _submitted;
    private long _results;
    private long _labels;
    private long _bodies;
    private long _bodyBytes;

    private StoreCheck(TaskStore store) => _store = store;

    /// <summary>Checks the store of a data directory that no service has open.</summary>
    public static StoreReport Run(string dataDirectory)
    {
        using var store = TaskStore.Open(dataDirectory, cacheBytes: 0, logBytes: 0);
        return new StoreCheck(store).Run();
    }

    private StoreReport Run()
    {
        LiveState? state = null;
        long snapshot = 0;
        Try(() => (state, snapshot) = StateLoading.Load(_store));
        var needed = state?.Batches.Values.Where(static batch => !batch.Finished).Select(static batch => batch.SubmitChunk).ToHashSet() ?? [];
        IReadOnlyList<long> chunks = [];
        Try(() => chunks = _store.ChunkNumbers());
        foreach (var id in chunks)
        {
            // Chunks outlive the segment files of their time where a restart needs them; others go first.
            _mayHaveExpired = needed.Contains(id) || id > snapshot;
            Try(() =>
            {
                var chunk = _store.ReadChunk(id) ?? throw new ChunkException($"chunk {id} is listed and not there");
                _decoder.Walk(chunk, ChunkHeader.Read(chunk, id), this);
            });
            _chunks++;
        }

        foreach (var batch in state?.Batches.Values.Where(static batch => !batch.Finished && batch.LargeBytes is not null) ?? [])
            Try(() => CheckArguments(batch));
        if (state is not null)
            Try(() => CheckLabels(state));
        return new StoreReport(_chunks, _submitted, _results, state?.Unfinished ?? 0, _labels, _bodies, _bodyBytes, _problems);
    }

    public void Submitted(SubmissionRecord record, int offset, int bytes) => _submitted += record.Count;

    public void Results(ResultRows rows, int ordinal, int offset)
    {
        _results += rows.Count;
        for (var row = 0; row < rows.Count; row++)
        {
            var body = rows.Large[row];
            if (!body.IsNone && (!_mayHaveExpired || _store.Segments.Has(body.File)))
                CheckBody(body, rows.BodyBytes(row));
        }
    }

    public void Dispatched(long batch, int from, int count)
    {
        // What the changes come to is the live state's business.
    }

    public void Requeued(long batch, int index, ushort attempt)
    {
    }

    public void AttemptLost(long batch, int index)
    {
    }

    public void Retried(long batch, int index, ushort attempt)
    {
    }

    public void CancelAsked(long batch, int index)
    {
    }

    public void Linked(int endpoint, uint epoch, string instance)
    {
    }

    public void Indexed(int count)
    {
    }

    public void EndpointDeleted(int endpoint)
    {
    }

    private void CheckArguments(Batch batch)
    {
        var record = _store.ReadSubmission(batch.SubmitChunk, batch.SubmitOffset, batch.SubmitBytes);
        for (var index = 0; index < batch.Count; index++)
        {
            if (batch.Slots[index].State != SlotState.Done && record.LargeBytes![index] > 0)
                CheckBody(record.Large![index], record.LargeBytes[index]);
        }
    }

    private void CheckLabels(LiveState state)
    {
        foreach (var group in _store.Labels.All().GroupBy(static label => (label.Owner, label.Group)))
        {
            var (owner, name) = group.Key;
            var labels = group.Select(static label => KeyValuePair.Create(label.Key, label.Value)).ToList();
            _labels += labels.Count;
            if (LabelRules.Check(labels) is { } wrong)
                Say($"labels of group '{name}' of user {owner}: {wrong}");
            if (!(state.Groups.TryGetValue((owner, name), out var live) && live.Batches > 0) && _store.Index.Count(owner, name).Batches == 0)
                Say($"group '{name}' of user {owner} has labels and no tasks");
        }
    }

    private void CheckBody(SegmentReference body, int bytes)
    {
        _bodies++;
        _bodyBytes += bytes;
        // One damaged body does not hide the next.
        Try(() =>
        {
            var reader = new BodyReader(_store.Segments, body, bytes);
            while (reader.Left > 0)
                reader.Read(_piece);
        });
    }

    private void Try(Action check)
    {
        try
        {
            check();
        }
        catch (Exception problem) when (problem is ChunkException or InvalidDataException or IOException or SqliteException)
        {
            Say(problem.Message);
        }
    }

    private void Say(string problem)
    {
        if (_problems.Count < MostProblems)
            _problems.Add(problem);
    }
}
