namespace FuncX.Service.Storage;

/// <summary>
/// The result sections of the last chunks, so that streams that keep up never ask the disk. Safe for any thread; bounded in bytes, the oldest goes first.
/// </summary>
public sealed class ChunkCache(long mostBytes)
{
    private readonly object _gate = new();
    private readonly Queue<long> _order = new();
    private readonly Dictionary<long, ChunkResults> _chunks = [];
    private long _bytes;

    public void Add(ChunkResults results)
    {
        lock (_gate)
        {
            if (!_chunks.TryAdd(results.Chunk, results))
                return;
            _order.Enqueue(results.Chunk);
            _bytes += results.Sections.Length;
            while (_bytes > mostBytes && _order.Count > 1)
            {
                _chunks.Remove(_order.Dequeue(), out var oldest);
                _bytes -= oldest!.Sections.Length;
            }
        }
    }

    public ChunkResults? Find(long chunk)
    {
        lock (_gate)
            return _chunks.GetValueOrDefault(chunk);
    }

    public void Clear()
    {
        lock (_gate)
        {
            _order.Clear();
            _chunks.Clear();
            _bytes = 0;
        }
    }
}
