using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.ServiceLink;
using FuncX.Wire;

namespace FuncX.Endpoint.Spool;

/// <summary>Reads a complete spool file record by record.</summary>
internal sealed class SpoolReader(SpoolFile file, BufferPool pool) : IDisposable
{
    private readonly FileStream _stream = new(file.Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);

    /// <summary>Bytes behind the last good record when the reader came to its end; 0 when the file ends with one.</summary>
    public long TornBytes { get; private set; }

    /// <summary>Reads the next record; the slice's one reference is the caller's.</summary>
    /// <returns>False at the end, or where the file is torn.</returns>
    public bool TryRead(out FrameSlice frames, out int results)
    {
        frames = default;
        results = 0;
        var start = _stream.Position;
        Span<byte> header = stackalloc byte[SpoolRecord.HeaderSize];
        var got = _stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        if (got == 0)
            return false;
        if (got == header.Length && SpoolRecord.TryReadHeader(header, out var length, out results, out var hash))
        {
            var buffer = pool.Rent(length);
            var body = buffer.Array.AsSpan(0, length);
            if (_stream.ReadAtLeast(body, length, throwOnEndOfStream: false) == length && SpoolRecord.Hash(body) == hash)
            {
                frames = new FrameSlice(buffer, 0, length);
                return true;
            }

            buffer.Release();
        }

        TornBytes = _stream.Length - start;
        return false;
    }

    /// <summary>The tasks whose results are in these files.</summary>
    public static void Describe(IEnumerable<SpoolFile> files, BufferPool pool, List<InventoryEntry> entries)
    {
        foreach (var file in files)
        {
            using var reader = new SpoolReader(file, pool);
            while (reader.TryRead(out var frames, out _))
            {
                ResultLedger.Describe(frames.Span, entries);
                frames.Buffer.Release();
            }
        }
    }

    public void Dispose() => _stream.Dispose();
}
