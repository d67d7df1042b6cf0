using Microsoft.Data.Sqlite;

namespace FuncX.Service.Storage;

/// <summary>
/// Finds finished batches and the results of groups on disk. In memory stand the key range and a filter of each segment, ten bits per batch; batch
/// ids rise with time, so nearly every new id lies beyond all ranges. Any thread reads; the thread that commits adds.
/// </summary>
public sealed class FinishedIndex
{
    private readonly TaskDatabase _database;
    private volatile Line[] _lines;

    public FinishedIndex(TaskDatabase database)
    {
        _database = database;
        using var command = database.Writer.Command("SELECT id, first, last, newest, filter FROM finished ORDER BY id");
        using var reader = command.ExecuteReader();
        var lines = new List<Line>();
        while (reader.Read())
        {
            lines.Add(new Line(
                reader.GetInt64(0),
                BatchKey.Read(reader.GetFieldValue<byte[]>(1)),
                BatchKey.Read(reader.GetFieldValue<byte[]>(2)),
                reader.GetInt64(3),
                new BatchFilter(reader.GetFieldValue<byte[]>(4))));
        }

        _lines = [.. lines];
        Newest = _lines is { Length: > 0 } ? _lines[^1].Id : 0;
        foreach (var line in _lines)
            Greatest = line.Last > Greatest ? line.Last : Greatest;
    }

    /// <summary>No indexed batch has a greater key.</summary>
    public BatchKey Greatest { get; private set; }

    /// <summary>Number of the newest segment there has been, expired or not; a search that found nothing holds for segments up to it.</summary>
    public long Newest { get; private set; }

    internal void Add(FinishedSegment segment)
    {
        if (segment.Last > Greatest)
            Greatest = segment.Last;
        _lines = [.. _lines, new Line(segment.Id, segment.First, segment.Last, segment.Newest, segment.Filter)];
        Newest = segment.Id;
    }

    /// <summary>Looks for a batch in segments newer than <paramref name="after"/>.</summary>
    public FinishedRecord? Find(BatchKey key, long after = 0)
    {
        var lines = _lines;
        if (key > Greatest)
            return null;
        var hash = key.StableHash();
        for (var index = lines.Length - 1; index >= 0 && lines[index].Id > after; index--)
        {
            var line = lines[index];
            if (key < line.First || key > line.Last || !line.Filter.MayContain(hash))
                continue;
            if (Load(line.Id)?.Find(key) is { } record)
                return record;
        }

        return null;
    }

    /// <summary>Counts of a group's indexed batches in segments up to <paramref name="last"/>, and the newest chunk with results of them.</summary>
    public (long Batches, long Tasks, long Failed, long LastChunk) Count(int owner, string group, long last = long.MaxValue)
    {
        using var connection = _database.OpenReader();
        using var command = connection.Command(
            "SELECT ifnull(sum(batches), 0), ifnull(sum(tasks), 0), ifnull(sum(failed), 0), ifnull(max(last_chunk), 0) FROM finished_group WHERE owner = $owner AND name = $name AND segment <= $last",
            ("$owner", owner), ("$name", group), ("$last", last));
        using var reader = command.ExecuteReader();
        reader.Read();
        return (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
    }

    /// <summary>An owner's groups in segments up to <paramref name="last"/> whose names come after <paramref name="after"/> and begin with <paramref name="prefix"/>, by name as <see cref="Utf8Order"/> has it.</summary>
    internal IEnumerable<IndexedGroup> Groups(int owner, string after, string prefix, long last)
    {
        using var connection = _database.OpenReader();
        using var command = connection.Command(
            """
            SELECT name, sum(tasks), sum(failed), max(last_chunk) FROM finished_group
            WHERE owner = $owner AND name > $after AND name >= $prefix AND segment <= $last GROUP BY name ORDER BY name
            """,
            ("$owner", owner), ("$after", after), ("$prefix", prefix), ("$last", last));
        using var reader = command.ExecuteReader();
        while (reader.Read() && reader.GetString(0) is var name && name.StartsWith(prefix, StringComparison.Ordinal))
            yield return new IndexedGroup(name, reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
    }

    /// <summary>Chunks with results of a group's indexed batches, from <paramref name="from"/> on, rising.</summary>
    public SortedSet<long> ChunksOf(int owner, string group, long from)
    {
        using var connection = _database.OpenReader();
        using var command = connection.Command(
            "SELECT chunks FROM finished_group WHERE owner = $owner AND name = $name AND last_chunk >= $from",
            ("$owner", owner), ("$name", group), ("$from", from));
        using var reader = command.ExecuteReader();
        var chunks = new SortedSet<long>();
        while (reader.Read())
        {
            var input = new ChunkCursor(reader.GetFieldValue<byte[]>(0));
            long chunk = 0;
            for (var left = input.Count(); left > 0; left--)
            {
                chunk += input.Signed();
                if (chunk >= from)
                    chunks.Add(chunk);
            }
        }

        return chunks;
    }

    /// <summary>A group's indexed batches, in the order of segments and keys, from a place on.</summary>
    public IEnumerable<(long Segment, FinishedRecord Record)> BatchesOf(int owner, string group, long fromSegment)
    {
        var segments = new List<long>();
        using (var connection = _database.OpenReader())
        {
            using var command = connection.Command(
                "SELECT segment FROM finished_group WHERE owner = $owner AND name = $name AND segment >= $from ORDER BY segment",
                ("$owner", owner), ("$name", group), ("$from", fromSegment));
            using var reader = command.ExecuteReader();
            while (reader.Read())
                segments.Add(reader.GetInt64(0));
        }

        foreach (var id in segments)
        {
            if (Load(id) is not { } segment)
                continue;
            foreach (var record in segment.Of(owner, group))
                yield return (id, record);
        }
    }

    /// <summary>Deletes segments all of whose batches ended before <paramref name="cutoff"/>, within the caller's transaction; <see cref="Forget"/> follows it.</summary>
    /// <param name="connection">The writer.</param>
    /// <param name="cutoff">Unix microseconds.</param>
    /// <param name="isLive">Whether a group of an owner has batches in memory; the labels of one that has neither those nor others in the index go too.</param>
    internal void Delete(SqliteConnection connection, long cutoff, Func<int, string, bool> isLive)
    {
        foreach (var line in _lines)
        {
            if (line.Newest >= cutoff)
                continue;
            var labelled = GroupLabels.LabelledIn(connection, line.Id);
            TaskDatabase.Run(connection, $"DELETE FROM finished WHERE id = {line.Id}; DELETE FROM finished_group WHERE segment = {line.Id}");
            foreach (var (owner, group) in labelled)
            {
                if (!isLive(owner, group))
                    GroupLabels.DeleteUnlessIndexed(connection, owner, group);
            }
        }
    }

    internal void Forget(long cutoff) => _lines = [.. _lines.Where(line => line.Newest >= cutoff)];

    private FinishedSegment? Load(long id)
    {
        using var connection = _database.OpenReader();
        using var command = connection.Command("SELECT first, last, newest, filter, data FROM finished WHERE id = $id", ("$id", id));
        using var reader = command.ExecuteReader();
        return reader.Read()
            ? FinishedSegment.FromRow(id, reader.GetFieldValue<byte[]>(0), reader.GetFieldValue<byte[]>(1), reader.GetInt64(2), reader.GetFieldValue<byte[]>(3), reader.GetFieldValue<byte[]>(4))
            : null;
    }

    private sealed record Line(long Id, BatchKey First, BatchKey Last, long Newest, BatchFilter Filter);
}
