using FuncX.Contracts.V1;
using FuncX.Service.Storage;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>
/// One stream of a group's results. It walks the positions of the group's result sections from its cursor, and takes the sections from recent chunks
/// or from disk: a stream that keeps up, a slow one, one that resumes, and one after a restart all do the same.
/// </summary>
internal sealed class ResultStream(TaskEngine engine, int owner, string group, IAsyncStreamWriter<ResultChunk> output)
{
    private const int MostPositions = 1024;

    /// <summary>After so much a message is flushed though more follow: what is buffered for a client is bounded by it.</summary>
    private const int FlushBytes = 256 * 1024;

    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);
    private static readonly WriteOptions Flushed = new();

    private readonly ResultSignal _signal = new();
    private readonly ResultRows _rows = new();
    private readonly ResultMessage _message = new(engine.Store.Segments);
    private readonly List<ResultPosition> _positions = [];
    private readonly ulong _number = GroupState.NumberOf(owner, group);
    private ulong _position;
    private bool _fromOldest;
    private int _unflushed;

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
        catch (Exception problem) when (problem is ChunkException or CursorException or IOException)
        {
            // What stands before a result that cannot be had is delivered.
            await WriteAsync(Flushed, ending);
            throw;
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
        foreach (var position in _positions)
        {
            if (chunk?.Chunk != position.Chunk)
                chunk = engine.Store.ReadResults(position.Chunk);
            if (chunk is not null)
                await SendAsync(chunk, position, ending);
            else if (!_fromOldest)
                throw Expired(position.Chunk);
            _position = position.Cursor;
        }

        await WriteAsync(Flushed, ending);
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
                    await SendAsync(chunk, at, ending);
                _position = at.Cursor;
            }
        }

        await WriteAsync(Flushed, ending);
        _position = Math.Max(_position, new ResultPosition(floor, -1, 0).Cursor);
    }

    /// <summary>Fewer results than the group has would look like all of them.</summary>
    private CursorException Expired(long chunk) =>
        new($"Results of group '{group}' behind cursor {_position} have expired. Go on with cursor {new ResultPosition(engine.Store.NextChunk(chunk) - 1, ResultPosition.MostSections, 0).Cursor} for the rest.");

    /// <summary>Puts a section into the next message, and sends the one before when it does not fit in there.</summary>
    private async ValueTask SendAsync(ChunkResults chunk, ResultPosition position, CancellationToken ending)
    {
        var section = chunk.Sections[position.Offset..];
        _rows.Read(section.Span, chunk.Time);
        if (_rows.Group != _number || _rows.Batch.Owner != owner)
            return;
        if (_message.TryAdd(section, _rows, position.Cursor))
            return;
        await WriteAsync(Buffered, ending);
        _message.TryAdd(section, _rows, position.Cursor);
    }

    /// <summary>Whoever stops sending, to wait or with an error, writes what there is, flushed.</summary>
    private async ValueTask WriteAsync(WriteOptions options, CancellationToken ending)
    {
        _unflushed += _message.Bytes;
        if (_message.Take() is not { } message)
            return;
        if (_unflushed >= FlushBytes)
            options = Flushed;
        if (options == Flushed)
            _unflushed = 0;
        output.WriteOptions = options;
        await output.WriteAsync(message, ending);
    }
}
