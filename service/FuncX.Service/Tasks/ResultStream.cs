using FuncX.Contracts.V1;
using FuncX.Service.Storage;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>
/// One stream of a group's results. It walks the positions of the group's result sections from its cursor, and takes the sections from recent chunks
/// or from disk: a stream that keeps up, a slow one, one that resumes, and one after a restart all do the same.
/// </summary>
internal sealed class ResultStream(TaskEngine engine, int owner, string group, IAsyncStreamWriter<ResultChunk> output)
{
    private const int MostPositions = 1024;

    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);
    private static readonly WriteOptions Flushed = new();

    private readonly ResultSignal _signal = new();
    private readonly ResultRows _rows = new();
    private readonly List<ResultPosition> _positions = [];
    private readonly ulong _number = GroupState.NumberOf(owner, group);
    private ulong _position;
    private bool _fromOldest;

    /// <summary>Sends what there is behind the cursor, and what comes.</summary>
    /// <returns>False: there is no such group, and the caller does not want to wait for one.</returns>
    /// <exception cref="CursorException">Results behind the cursor have expired, or it lies beyond all results.</exception>
    public async Task<bool> RunAsync(ulong cursor, bool follow, CancellationToken ending)
    {
        _position = cursor;
        // Who waits for what comes takes what there still is; who takes all there is, or goes on, would miss what has expired.
        _fromOldest = follow && cursor == 0;
        if (ResultPosition.Split(cursor).Chunk > engine.Store.LastChunk)
            throw new CursorException($"Cursor {cursor} of group '{group}' lies beyond all results: it was given by another service, or by this one before its directory was restored. Begin with 0.");
        if (!follow && !await ExistsAsync())
            return false;
        await using var waking = ending.UnsafeRegister(static signal => ((ResultSignal)signal!).Raise(inline: false), _signal);
        var generation = engine.Generation;
        var state = await ListenAsync();
        try
        {
            while (true)
            {
                ending.ThrowIfCancellationRequested();
                if (generation != engine.Generation)
                {
                    generation = engine.Generation;
                    state = await ListenAsync();
                }

                if (await SendNextAsync(state, ending))
                    continue;
                if (!follow && await engine.LookAsync(_ => state.Unfinished) == 0 && generation == engine.Generation)
                {
                    if (!await SendNextAsync(state, ending))
                        return true;
                    continue;
                }

                await _signal.WaitAsync();
            }
        }
        finally
        {
            state.Leave(_signal);
            await engine.LookAsync(live =>
            {
                live.Release(state);
                return true;
            });
        }
    }

    private async ValueTask<bool> ExistsAsync() =>
        await engine.LookAsync(live => live.Groups.TryGetValue((owner, group), out var known) && known.Batches > 0) || engine.Store.Index.Count(owner, group).Batches > 0;

    private ValueTask<GroupState> ListenAsync() => engine.LookAsync(live =>
    {
        var state = live.Group(owner, group);
        state.Listen(_signal);
        return state;
    });

    /// <summary>Sends the next results; false when there are none at this moment.</summary>
    private async ValueTask<bool> SendNextAsync(GroupState state, CancellationToken ending)
    {
        _positions.Clear();
        if (!state.TryCopyAfter(_position, _positions, MostPositions))
        {
            await SendFromIndexAsync(state.Floor, ending);
            return true;
        }

        ChunkResults? chunk = null;
        for (var index = 0; index < _positions.Count; index++)
        {
            var position = _positions[index];
            if (chunk?.Chunk != position.Chunk)
                chunk = engine.Store.ReadResults(position.Chunk);
            if (chunk is not null)
                await SendAsync(chunk, position, index + 1 == _positions.Count, ending);
            else if (!_fromOldest)
                throw Expired(position.Chunk);
            _position = position.Cursor;
        }

        return _positions.Count > 0;
    }

    /// <summary>Sends what is older than memory reaches.</summary>
    private async ValueTask SendFromIndexAsync(long floor, CancellationToken ending)
    {
        var (from, sections) = ResultPosition.Split(_position);
        foreach (var id in engine.Store.Index.ChunksOf(owner, group, from))
        {
            if (id >= floor)
                break;
            if (engine.Store.ReadResults(id) is not { } chunk)
            {
                if (!_fromOldest)
                    throw Expired(id);
                continue;
            }

            var offset = 0;
            for (var ordinal = 0; offset < chunk.Sections.Length; ordinal++)
            {
                var section = chunk.Sections.Span[offset..];
                var at = new ResultPosition(id, ordinal, offset);
                offset += ResultRows.LengthOf(section);
                if ((id > from || ordinal >= sections) && ResultRows.IsOf(section, _number))
                    await SendAsync(chunk, at, last: false, ending);
            }
        }

        _position = Math.Max(_position, new ResultPosition(floor, -1, 0).Cursor);
    }

    /// <summary>Fewer results than the group has would look like all of them.</summary>
    private CursorException Expired(long chunk) => new(
        $"Results of group '{group}' behind cursor {_position} have expired. Go on with cursor {new ResultPosition(engine.Store.NextChunk(chunk) - 1, ResultPosition.MostSections, 0).Cursor} for the rest.");

    private async ValueTask SendAsync(ChunkResults chunk, ResultPosition position, bool last, CancellationToken ending)
    {
        var section = chunk.Sections[position.Offset..];
        _rows.Read(section.Span, chunk.Time);
        if (_rows.Group != _number || _rows.Batch.Owner != owner)
            return;
        output.WriteOptions = last ? Flushed : Buffered;
        await output.WriteAsync(ChunkOf(section, position.Cursor), ending);
    }

    private ResultChunk ChunkOf(ReadOnlyMemory<byte> section, ulong cursor)
    {
        Span<byte> id = stackalloc byte[Wire.BatchId.Size];
        _rows.Batch.Id.Write(id);
        var chunk = new ResultChunk { Cursor = cursor, BatchId = ByteString.CopyFrom(id), BaseTime = _rows.Time(ResultTimes.WorkerStarted, 0) };
        var count = _rows.Count;
        Fill(chunk.Index, _rows.Index, count);
        Fill(chunk.Lengths, _rows.ValueBytes, count);
        chunk.Started.Capacity = chunk.Ran.Capacity = count;
        for (var row = 0; row < count; row++)
        {
            var started = _rows.Time(ResultTimes.WorkerStarted, row);
            chunk.Started.Add(started - chunk.BaseTime);
            chunk.Ran.Add(_rows.Time(ResultTimes.WorkerEnded, row) - started);
        }

        var same = (_rows.Flags & ResultFlags.SameContentType) != 0;
        for (var row = 0; row < (same ? 1 : count); row++)
            chunk.ContentTypes.Add((uint)_rows.ContentType[row]);
        if ((_rows.Flags & ResultFlags.AllValues) == 0)
        {
            for (var row = 0; row < count; row++)
                chunk.Outcomes.Add((uint)_rows.Outcome[row]);
        }

        if ((_rows.Flags & ResultFlags.Codes) != 0)
        {
            for (var row = 0; row < count; row++)
                chunk.Codes.Add(_rows.Code[row]);
        }

        if ((_rows.Flags & ResultFlags.Output) != 0)
        {
            Fill(chunk.StdoutLengths, _rows.StdoutBytes, count);
            Fill(chunk.StderrLengths, _rows.StderrBytes, count);
        }

        chunk.Bodies = BodiesOf(section);
        return chunk;
    }

    private ByteString BodiesOf(ReadOnlyMemory<byte> section)
    {
        var length = ResultRows.LengthOf(section.Span);
        if ((_rows.Flags & (ResultFlags.Large | ResultFlags.Output)) == 0)
            return UnsafeByteOperations.UnsafeWrap(section[_rows.BodiesOffset..length]);
        long values = 0, all = 0;
        for (var row = 0; row < _rows.Count; row++)
        {
            values += _rows.ValueBytes[row];
            all += _rows.BodyBytes(row);
        }

        // On disk each task's value and output lie together; on the wire all values come first.
        var bodies = new byte[all];
        var value = 0;
        var text = (int)values;
        var at = _rows.BodiesOffset;
        for (var row = 0; row < _rows.Count; row++)
        {
            ReadOnlySpan<byte> body;
            if (_rows.Large[row].IsNone)
            {
                body = section.Span.Slice(at, _rows.BodyBytes(row));
                at += body.Length;
            }
            else
            {
                var large = new byte[_rows.BodyBytes(row)];
                engine.Store.Segments.Read(_rows.Large[row], large);
                body = large;
            }

            body[.._rows.ValueBytes[row]].CopyTo(bodies.AsSpan(value));
            body[_rows.ValueBytes[row]..].CopyTo(bodies.AsSpan(text));
            value += _rows.ValueBytes[row];
            text += body.Length - _rows.ValueBytes[row];
        }

        return UnsafeByteOperations.UnsafeWrap(bodies);
    }

    private static void Fill(RepeatedField<uint> field, int[] values, int count)
    {
        field.Capacity = count;
        for (var index = 0; index < count; index++)
            field.Add((uint)values[index]);
    }
}
