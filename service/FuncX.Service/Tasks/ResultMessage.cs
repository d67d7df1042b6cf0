using System.Buffers;
using FuncX.Contracts.V1;
using FuncX.Service.Storage;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace FuncX.Service.Tasks;

/// <summary>
/// The next message of a stream of results. Small sections of nothing but values share one, so that single calls which end together do not cost a message each:
/// their bodies are copied together. A large section, or one that says more, has a message of its own, and its values are not copied.
/// </summary>
internal sealed class ResultMessage(SegmentFiles segments)
{
    /// <summary>Larger values are fetched by themselves.</summary>
    public const int LargestValue = 16 << 20;

    /// <summary>So are further ones when a message has so much: clients take messages of 64 MiB.</summary>
    private const int MostBodies = 40 << 20;

    private const int SharedRows = 512;
    private const int SharedBytes = 64 * 1024;

    private const ResultFlags Says = ResultFlags.AllValues | ResultFlags.SameContentType | ResultFlags.Large | ResultFlags.Output | ResultFlags.Codes;
    private const ResultFlags Plain = ResultFlags.AllValues | ResultFlags.SameContentType;

    private readonly ArrayBufferWriter<byte> _shared = new();
    private readonly ArrayBufferWriter<byte> _batches = new(Wire.BatchId.Size * 16);
    private ResultChunk? _chunk;
    private ReadOnlyMemory<byte> _own;
    private readonly List<int> _left = [];
    private int _firstRows;
    private bool _takesMore;

    /// <summary>Bytes of what is in it, about.</summary>
    public int Bytes { get; private set; }

    /// <summary>Adds a section; false when it does not go into this message: take that first. One that cannot be read changes nothing.</summary>
    public bool TryAdd(ReadOnlyMemory<byte> section, ResultRows rows, ulong cursor)
    {
        section = section[..ResultRows.LengthOf(section.Span)];
        var small = (rows.Flags & Says) == Plain && rows.Count <= SharedRows && section.Length <= SharedBytes;
        if (_chunk is null)
        {
            if (!small)
                _own = BodiesOf(section, rows);
            _takesMore = small;
            _firstRows = rows.Count;
            _chunk = new ResultChunk { BaseTime = rows.Time(ResultTimes.WorkerStarted, 0) };
        }
        else if (!small || !_takesMore || (uint)rows.ContentType[0] != _chunk.ContentTypes[0] || _chunk.Index.Count + rows.Count > SharedRows || Bytes + section.Length > SharedBytes)
        {
            return false;
        }
        else
        {
            if (_chunk.Counts.Count == 0)
                _chunk.Counts.Add((uint)_firstRows);
            _chunk.Counts.Add((uint)rows.Count);
        }

        _chunk.Cursor = cursor;
        rows.Batch.Id.Write(_batches.GetSpan(Wire.BatchId.Size));
        _batches.Advance(Wire.BatchId.Size);
        AddColumns(_chunk, rows);
        foreach (var row in _left)
        {
            _chunk.Lengths[row] = 0;
            _chunk.Large.Add((uint)row);
            _chunk.LargeLengths.Add((ulong)rows.ValueBytes[row]);
        }

        _left.Clear();
        Bytes += small ? section.Length : _own.Length;
        if (small)
            _shared.Write(section.Span[rows.BodiesOffset..]);
        return true;
    }

    /// <summary>The message, whole; null when there is none. The next one begins empty.</summary>
    public ResultChunk? Take()
    {
        if (_chunk is not { } chunk)
            return null;
        chunk.BatchIds = ByteString.CopyFrom(_batches.WrittenSpan);
        chunk.Bodies = _takesMore ? ByteString.CopyFrom(_shared.WrittenSpan) : UnsafeByteOperations.UnsafeWrap(_own);
        _chunk = null;
        _own = default;
        _batches.ResetWrittenCount();
        _shared.ResetWrittenCount();
        Bytes = 0;
        return chunk;
    }

    private static void AddColumns(ResultChunk chunk, ResultRows rows)
    {
        var count = rows.Count;
        Add(chunk.Index, rows.Index, count);
        Add(chunk.Lengths, rows.ValueBytes, count);
        chunk.Started.Capacity = chunk.Ran.Capacity = Room(chunk.Started.Capacity, chunk.Started.Count + count);
        for (var row = 0; row < count; row++)
        {
            var started = rows.Time(ResultTimes.WorkerStarted, row);
            chunk.Started.Add(started - chunk.BaseTime);
            chunk.Ran.Add(rows.Time(ResultTimes.WorkerEnded, row) - started);
        }

        if (chunk.ContentTypes.Count == 0)
        {
            var same = (rows.Flags & ResultFlags.SameContentType) != 0;
            for (var row = 0; row < (same ? 1 : count); row++)
                chunk.ContentTypes.Add((uint)rows.ContentType[row]);
        }

        if ((rows.Flags & ResultFlags.AllValues) == 0)
        {
            for (var row = 0; row < count; row++)
                chunk.Outcomes.Add((uint)rows.Outcome[row]);
        }

        if ((rows.Flags & ResultFlags.Codes) != 0)
        {
            for (var row = 0; row < count; row++)
                chunk.Codes.Add(rows.Code[row]);
        }

        if ((rows.Flags & ResultFlags.Output) != 0)
        {
            Add(chunk.StdoutLengths, rows.StdoutBytes, count);
            Add(chunk.StderrLengths, rows.StderrBytes, count);
        }
    }

    private ReadOnlyMemory<byte> BodiesOf(ReadOnlyMemory<byte> section, ResultRows rows)
    {
        if ((rows.Flags & (ResultFlags.Large | ResultFlags.Output)) == 0)
            return section[rows.BodiesOffset..];
        long values = 0, all = 0;
        for (var row = 0; row < rows.Count; row++)
        {
            if (!rows.Large[row].IsNone && (rows.ValueBytes[row] > LargestValue || all + rows.BodyBytes(row) > MostBodies))
                _left.Add(row);
            else
                values += rows.ValueBytes[row];
            all += rows.BodyBytes(row) - (IsLeft(row) ? rows.ValueBytes[row] : 0);
        }

        // On disk each task's value and output lie together; on the wire all values come first.
        var bodies = new byte[all];
        var value = 0;
        var text = (int)values;
        var at = rows.BodiesOffset;
        for (var row = 0; row < rows.Count; row++)
        {
            var valueBytes = rows.ValueBytes[row];
            if (IsLeft(row))
            {
                text += segments.ReadEnd(rows.Large[row], rows.BodyBytes(row), valueBytes, bodies.AsSpan(text));
                continue;
            }

            ReadOnlySpan<byte> body;
            if (rows.Large[row].IsNone)
            {
                body = section.Span.Slice(at, rows.BodyBytes(row));
                at += body.Length;
            }
            else
            {
                var large = new byte[rows.BodyBytes(row)];
                segments.Read(rows.Large[row], large);
                body = large;
            }

            body[..valueBytes].CopyTo(bodies.AsSpan(value));
            body[valueBytes..].CopyTo(bodies.AsSpan(text));
            value += valueBytes;
            text += body.Length - valueBytes;
        }

        return bodies;
    }

    private bool IsLeft(int row) => _left.Count > 0 && _left.BinarySearch(row) >= 0;

    private static void Add(RepeatedField<uint> field, int[] values, int count)
    {
        field.Capacity = Room(field.Capacity, field.Count + count);
        for (var index = 0; index < count; index++)
            field.Add((uint)values[index]);
    }

    // Exactly what the first section needs, as most messages have one; then in steps.
    private static int Room(int room, int wanted) => wanted <= room ? room : room == 0 ? wanted : Math.Max(wanted, Math.Max(32, room * 2));
}
