using System.Buffers.Binary;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Storage;

/// <summary>
/// Some thousand finished batches, sorted by key, in one row: no row per batch is ever written. Little endian:
/// <code>
/// u32 batches | per batch: 16 key (as it sorts), u32 offset of its entry | entries
/// entry: varint function | varint endpoint | text group | varint count | varint failed | 16 content | varint submit chunk | varint offset | varint bytes
///        varint result chunks | first, then differences
/// </code>
/// </summary>
public sealed class FinishedSegment
{
    private const int LineBytes = BatchKey.Size + 4;

    private readonly byte[] _data;

    private FinishedSegment(long id, BatchKey first, BatchKey last, long newest, BatchFilter filter, byte[] data)
    {
        Id = id;
        First = first;
        Last = last;
        Newest = newest;
        Filter = filter;
        _data = data;
    }

    public long Id { get; }

    public BatchKey First { get; }

    public BatchKey Last { get; }

    /// <summary>Unix microseconds when the last of its batches had ended: it expires with that one.</summary>
    public long Newest { get; }

    public BatchFilter Filter { get; }

    private List<FinishedRecord>? Records { get; set; }

    /// <summary>Sorts and encodes.</summary>
    public static FinishedSegment Build(long id, long now, List<FinishedRecord> records)
    {
        records.Sort(static (left, right) => left.Key.CompareTo(right.Key));
        var filter = new BatchFilter(records.Count);
        var buffer = new ChunkBuffer(records.Count * 96);
        buffer.Fixed32(records.Count);
        buffer.Take(records.Count * LineBytes);
        for (var index = 0; index < records.Count; index++)
        {
            var record = records[index];
            var line = buffer.Slice(4 + (index * LineBytes), LineBytes);
            record.Key.Write(line);
            BinaryPrimitives.WriteInt32LittleEndian(line[BatchKey.Size..], buffer.Length);
            filter.Add(record.Key.StableHash());
            WriteEntry(buffer, record);
        }

        return new FinishedSegment(id, records[0].Key, records[^1].Key, now, filter, buffer.Written.ToArray()) { Records = records };
    }

    public static FinishedSegment FromRow(long id, byte[] first, byte[] last, long newest, byte[] filter, byte[] data) =>
        new(id, BatchKey.Read(first), BatchKey.Read(last), newest, new BatchFilter(filter), data);

    /// <summary>Finds a batch.</summary>
    public FinishedRecord? Find(BatchKey key)
    {
        Span<byte> wanted = stackalloc byte[BatchKey.Size];
        key.Write(wanted);
        var low = 0;
        var high = BinaryPrimitives.ReadInt32LittleEndian(_data) - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var line = _data.AsSpan(4 + (middle * LineBytes), LineBytes);
            var order = line[..BatchKey.Size].SequenceCompareTo(wanted);
            if (order == 0)
                return ReadEntry(key, BinaryPrimitives.ReadInt32LittleEndian(line[BatchKey.Size..]));
            if (order < 0)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return null;
    }

    /// <summary>All batches of a group of an owner, by key.</summary>
    public IEnumerable<FinishedRecord> Of(int owner, string group)
    {
        var count = BinaryPrimitives.ReadInt32LittleEndian(_data);
        for (var index = 0; index < count; index++)
        {
            var line = _data.AsMemory(4 + (index * LineBytes), LineBytes);
            var key = BatchKey.Read(line.Span);
            if (key.Owner != owner)
                continue;
            var record = ReadEntry(key, BinaryPrimitives.ReadInt32LittleEndian(line.Span[BatchKey.Size..]));
            if (record.Group == group)
                yield return record;
        }
    }

    /// <summary>Writes the rows; within the transaction of the chunk that says <see cref="ChangeKind.Indexed"/>.</summary>
    internal void Write(SqliteConnection connection)
    {
        using var insert = connection.Command(
            "INSERT INTO finished(id, first, last, newest, filter, data) VALUES($id, $first, $last, $newest, $filter, $data)",
            ("$id", Id), ("$first", BytesOf(First)), ("$last", BytesOf(Last)), ("$newest", Newest), ("$filter", Filter.ToBytes()), ("$data", _data));
        insert.ExecuteNonQuery();
        WriteGroups(connection);
        Records = null;
    }

    private void WriteGroups(SqliteConnection connection)
    {
        using var insert = connection.Command(
            "INSERT INTO finished_group(owner, name, segment, batches, tasks, failed, last_chunk, chunks) VALUES($owner, $name, $segment, $batches, $tasks, $failed, $last, $chunks)");
        var parameters = (string[])["$owner", "$name", "$segment", "$batches", "$tasks", "$failed", "$last", "$chunks"];
        foreach (var parameter in parameters)
            insert.Parameters.AddWithValue(parameter, 0L);
        var chunks = new ChunkBuffer(256);
        foreach (var group in Records!.GroupBy(static record => (record.Key.Owner, record.Group)))
        {
            var ids = new HashSet<long>();
            long tasks = 0, failed = 0;
            var batches = 0;
            foreach (var record in group)
            {
                foreach (var chunk in record.ResultChunks)
                    ids.Add(chunk);
                batches++;
                tasks += record.Count;
                failed += record.Failed;
            }

            chunks.Clear();
            chunks.Varint(ids.Count);
            long previous = 0;
            foreach (var id in ids.Order())
            {
                chunks.Varint(id - previous);
                previous = id;
            }

            insert.Parameters["$owner"].Value = group.Key.Owner;
            insert.Parameters["$name"].Value = group.Key.Group;
            insert.Parameters["$segment"].Value = Id;
            insert.Parameters["$batches"].Value = batches;
            insert.Parameters["$tasks"].Value = tasks;
            insert.Parameters["$failed"].Value = failed;
            insert.Parameters["$last"].Value = previous;
            insert.Parameters["$chunks"].Value = chunks.Written.ToArray();
            insert.ExecuteNonQuery();
        }
    }

    private static byte[] BytesOf(BatchKey key)
    {
        var bytes = new byte[BatchKey.Size];
        key.Write(bytes);
        return bytes;
    }

    private static void WriteEntry(ChunkBuffer output, FinishedRecord record)
    {
        output.Varint(record.Function);
        output.Varint(record.Endpoint);
        output.Text(record.Group);
        output.Varint(record.Count);
        output.Varint(record.Failed);
        BinaryPrimitives.WriteUInt128LittleEndian(output.Take(16), record.Content);
        output.Varint(record.SubmitChunk);
        output.Varint(record.SubmitOffset);
        output.Varint(record.SubmitBytes);
        output.Varint(record.ResultChunks.Count);
        long previous = 0;
        foreach (var chunk in record.ResultChunks)
        {
            output.Varint(chunk - previous);
            previous = chunk;
        }
    }

    private FinishedRecord ReadEntry(BatchKey key, int offset)
    {
        var input = new ChunkCursor(_data.AsSpan(offset));
        var function = input.Count();
        var endpoint = input.Count();
        var group = input.Text();
        var count = input.Count();
        var failed = input.Count();
        var content = BinaryPrimitives.ReadUInt128LittleEndian(input.Bytes(16));
        var submitChunk = input.Signed();
        var submitOffset = input.Count();
        var submitBytes = input.Count();
        var chunks = new long[input.Count(input.Left)];
        long previous = 0;
        for (var index = 0; index < chunks.Length; index++)
            chunks[index] = previous += input.Signed();
        return new FinishedRecord(key, function, endpoint, group, count, failed, content, submitChunk, submitOffset, submitBytes, chunks);
    }
}
