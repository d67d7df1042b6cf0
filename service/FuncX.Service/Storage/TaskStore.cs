using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Storage;

/// <summary>
/// The log of chunks with everything beside it: segment files for large bodies, the cache of recent results, the index of finished batches, the
/// snapshots. One thread appends at a time; any thread reads. Benchmark: bench store.
/// </summary>
public sealed class TaskStore : IDisposable
{
    private readonly ChunkBuffer _chunk = new(1 << 20);
    private readonly TaskDatabase _database;
    private long _lastCommitted;

    private TaskStore(string directory, long cacheBytes, int logBytes)
    {
        Directory = directory;
        _database = TaskDatabase.Open(Path.Combine(directory, "tasks.db"), logBytes);
        Segments = new SegmentFiles(Path.Combine(directory, "segments"));
        Snapshots = new SnapshotFiles(Path.Combine(directory, "snapshots"));
        Index = new FinishedIndex(_database);
        Labels = new GroupLabels(_database);
        Cache = new ChunkCache(cacheBytes);
        (FirstChunk, LastChunk) = Range();
    }

    public string Directory { get; }

    public SegmentFiles Segments { get; }

    public SnapshotFiles Snapshots { get; }

    public FinishedIndex Index { get; }

    public GroupLabels Labels { get; }

    public ChunkCache Cache { get; }

    /// <summary>The oldest chunk that existed at start.</summary>
    public long FirstChunk { get; }

    /// <summary>The newest durable chunk, 0: none.</summary>
    public long LastChunk { get; private set; }

    /// <summary>Bytes of all chunks appended since start.</summary>
    public long AppendedBytes { get; private set; }

    public string JournalMode => _database.JournalMode;

    public string Synchronous => _database.Synchronous;

    /// <summary>Bytes in use in tasks.db.</summary>
    public long UsedBytes => _database.UsedBytes;

    /// <summary>Opens or creates the store of a data directory.</summary>
    /// <exception cref="InvalidDataException">The directory was written by a newer release, or is damaged.</exception>
    /// <param name="directory">Made when it is not there.</param>
    /// <param name="cacheBytes">Results of recent chunks kept in memory.</param>
    /// <param name="logBytes">Size that SQLite's log gets at once: commits are slower until it has reached what it will need.</param>
    public static TaskStore Open(string directory, long cacheBytes = 64 << 20, int logBytes = 64 << 20)
    {
        System.IO.Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new TaskStore(directory, cacheBytes, logBytes);
    }

    /// <summary>Makes one group commit durable.</summary>
    /// <param name="changes">Entries as in <see cref="ChangeKind"/>.</param>
    /// <param name="sections">Result sections.</param>
    /// <param name="sectionCount">How many those are.</param>
    /// <param name="time">Unix microseconds now.</param>
    /// <param name="firstBatch">Number of the first batch among the changes.</param>
    /// <param name="segment">Finished batches to index in the same transaction, or null.</param>
    /// <param name="labels">Labels to change in the same transaction, or null.</param>
    /// <exception cref="StorageFullException">Nothing of it is durable.</exception>
    public void Append(ReadOnlySpan<byte> changes, ReadOnlySpan<byte> sections, int sectionCount, long time, long firstBatch, FinishedSegment? segment, LabelChanges? labels = null)
    {
        _chunk.Clear();
        _chunk.Take(ChunkHeader.Size);
        _chunk.Bytes(changes);
        _chunk.Bytes(sections);
        var id = LastChunk + 1;
        var bytes = _chunk.Slice(0, _chunk.Length);
        new ChunkHeader(id, time, _lastCommitted, firstBatch, changes.Length, sectionCount).Write(bytes);
        _database.Append(id, bytes, Beside(segment, labels is { IsEmpty: false } ? labels : null));
        labels?.Written();
        LastChunk = id;
        AppendedBytes += bytes.Length;
        if (segment is not null)
            Index.Add(segment);
        if (sectionCount > 0)
            Cache.Add(new ChunkResults(id, time, sections.ToArray()));
    }

    /// <summary>Remembers when the last chunk became durable; the next chunk says it to those who read the log.</summary>
    public void Committed(long time) => _lastCommitted = time;

    /// <summary>Keeps SQLite's log short; between two commits, by the thread that commits.</summary>
    public void Maintain(bool quiet) => _database.Maintain(quiet);

    /// <summary>A whole chunk, checked; null: it was pruned or never was.</summary>
    public byte[]? ReadChunk(long id) => _database.Read(id);

    /// <summary>The numbers of all chunks, in order.</summary>
    public IReadOnlyList<long> ChunkNumbers()
    {
        var numbers = new List<long>();
        using var connection = _database.OpenReader();
        using var command = connection.Command("SELECT id FROM chunk ORDER BY id");
        using var reader = command.ExecuteReader();
        while (reader.Read())
            numbers.Add(reader.GetInt64(0));
        return numbers;
    }

    /// <summary>The result sections of a chunk; null: it was pruned or never was.</summary>
    public ChunkResults? ReadResults(long id)
    {
        if (Cache.Find(id) is { } cached)
            return cached;
        if (ReadChunk(id) is not { } chunk)
            return null;
        var header = ChunkHeader.Read(chunk, id);
        return new ChunkResults(id, header.Time, chunk.AsMemory(header.ResultsOffset));
    }

    /// <summary>A submission as it was accepted.</summary>
    /// <exception cref="ChunkException">Its chunk is gone or damaged.</exception>
    public SubmissionRecord ReadSubmission(long id, int offset, int bytes)
    {
        var chunk = ReadChunk(id) ?? throw new ChunkException($"chunk {id} is gone; it holds a submission that is still needed");
        ChunkHeader.Read(chunk, id);
        return offset + (long)bytes <= chunk.Length ? SubmissionCodec.Read(chunk.AsMemory(offset, bytes)) : throw new ChunkException($"chunk {id} ends before its submission at {offset}");
    }

    /// <summary>Unix microseconds at which a chunk became durable: exact when the next chunk tells, else the moment before its commit.</summary>
    public long CommittedAt(long id)
    {
        if (id == LastChunk && _lastCommitted != 0)
            return _lastCommitted;
        if (ReadChunk(id + 1) is { } next && ChunkHeader.Peek(next).PreviousCommitted is > 0 and var exact)
            return exact;
        return ReadChunk(id) is { } chunk ? ChunkHeader.Peek(chunk).Time : 0;
    }

    /// <summary>Unix microseconds at which chunks were made; 0: that one is gone.</summary>
    internal long[] TimesOf(IReadOnlyList<long> ids)
    {
        using var connection = _database.OpenReader();
        var times = new Dictionary<long, long>();
        foreach (var id in ids)
        {
            if (!times.ContainsKey(id))
                times.Add(id, TaskDatabase.TimeOf(connection, id));
        }

        return [.. ids.Select(id => times[id])];
    }

    /// <summary>The chunk that follows one which was pruned; the next one to come when there is none.</summary>
    public long NextChunk(long pruned)
    {
        using var connection = _database.OpenReader();
        using var command = connection.Command("SELECT min(id) FROM chunk WHERE id > $pruned", ("$pruned", pruned));
        return command.ExecuteScalar() is long next ? next : LastChunk + 1;
    }

    /// <summary>Walks the chunks behind <paramref name="after"/> in order.</summary>
    /// <exception cref="ChunkException">One of them is damaged.</exception>
    public void Replay(long after, Action<byte[], ChunkHeader> each)
    {
        using var connection = _database.OpenReader();
        using var command = connection.Command("SELECT id, data FROM chunk WHERE id > $after ORDER BY id", ("$after", after));
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            var id = reader.GetInt64(0);
            var chunk = reader.GetFieldValue<byte[]>(1);
            each(chunk, ChunkHeader.Read(chunk, id));
        }
    }

    /// <summary>
    /// Deletes chunks made before <paramref name="cutoff"/> (Unix microseconds), and the index of batches that ended before it. By the thread that commits,
    /// which is held up for about <paramref name="patience"/> at most.
    /// </summary>
    /// <param name="cutoff">Chunks as old as this are kept.</param>
    /// <param name="needed">Chunks with submissions of unfinished batches: they stay.</param>
    /// <param name="below">Only chunks up to this one may go.</param>
    /// <param name="patience">More are left for the next time.</param>
    /// <param name="isLive">Whether a group of an owner has batches that are not in the index: those keep its labels.</param>
    /// <returns>True when more are left.</returns>
    public bool Prune(long cutoff, IReadOnlySet<long> needed, long below, TimeSpan patience, Func<int, string, bool> isLive)
    {
        var began = Stopwatch.GetTimestamp();
        var last = LastBefore(cutoff, Math.Min(below, LastChunk - 1));
        long passed = 0;
        while (passed < last)
        {
            if (Stopwatch.GetElapsedTime(began) > patience)
                return true;
            using var transaction = _database.Writer.BeginTransaction();
            passed = DeleteSome(passed, last, needed, transaction);
            FailPoints.Pass("before-commit-prune");
            transaction.Commit();
            FailPoints.Pass("after-commit-prune");
        }

        using (var transaction = _database.Writer.BeginTransaction())
        {
            Index.Delete(_database.Writer, cutoff, isLive);
            FailPoints.Pass("before-commit-prune-index");
            transaction.Commit();
            FailPoints.Pass("after-commit-prune-index");
        }

        Index.Forget(cutoff);
        return false;
    }

    /// <summary>Whether any chunk was made before <paramref name="cutoff"/> (Unix microseconds). By the thread that commits.</summary>
    public bool HasBefore(long cutoff) => Number("SELECT min(id) FROM chunk WHERE id > $id", -1) is { } first && _database.ReadHead(first).Time < cutoff;

    /// <summary>What is written in the transaction of a chunk; null, which is faster, when it is alone.</summary>
    private static Action<SqliteConnection>? Beside(FinishedSegment? segment, LabelChanges? labels)
    {
        if (labels is null)
            return segment is null ? null : segment.Write;
        return segment is null ? labels.Write : Both(segment, labels);
    }

    // Apart from the above, which would make its closure for each commit.
    private static Action<SqliteConnection> Both(FinishedSegment segment, LabelChanges labels) => connection =>
    {
        segment.Write(connection);
        labels.Write(connection);
    };

    private long DeleteSome(long after, long last, IReadOnlySet<long> needed, SqliteTransaction transaction)
    {
        const int Most = 1_000;
        var ids = new List<long>(Most);
        using (var select = _database.Writer.Command($"SELECT id FROM chunk WHERE id > $after AND id <= $last ORDER BY id LIMIT {Most}", ("$after", after), ("$last", last)))
        {
            using var reader = select.ExecuteReader();
            while (reader.Read())
                ids.Add(reader.GetInt64(0));
        }

        using var delete = _database.Writer.Command(transaction, "DELETE FROM chunk WHERE id = $id");
        var parameter = delete.Parameters.AddWithValue("$id", 0L);
        foreach (var id in ids)
        {
            if (needed.Contains(id))
                continue;
            parameter.Value = id;
            delete.ExecuteNonQuery();
        }

        return ids.Count < Most ? last : ids[^1];
    }

    /// <summary>The last chunk up to <paramref name="below"/> that was made before <paramref name="cutoff"/>, 0: none. Times rise with the numbers, so a few headers tell.</summary>
    private long LastBefore(long cutoff, long below)
    {
        if (!HasBefore(cutoff))
            return 0;
        long low = 0;
        var high = below;
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            if (Number("SELECT max(id) FROM chunk WHERE id <= $id", middle) is not { } id || _database.ReadHead(id).Time < cutoff)
                low = middle;
            else
                high = id - 1;
        }

        return low;
    }

    private long? Number(string sql, long id)
    {
        using var command = _database.Writer.Command(sql, ("$id", id));
        return command.ExecuteScalar() as long?;
    }

    public void Dispose()
    {
        Segments.Dispose();
        _database.Dispose();
    }

    private (long First, long Last) Range()
    {
        using var command = _database.Writer.Command("SELECT ifnull(min(id), 0), ifnull(max(id), 0) FROM chunk");
        using var reader = command.ExecuteReader();
        reader.Read();
        return (reader.GetInt64(0), reader.GetInt64(1));
    }
}
