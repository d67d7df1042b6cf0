using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.ServiceLink;
using FuncX.Wire;

namespace FuncX.Endpoint.Spool;

/// <summary>Reads a complete spool file record by record.</summary>
internal sealed class SpoolReader(SpoolFile file, BufferPool pool) : IDisposable
{
    private readonly FileStream _stream = new(file.Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);

    /// <summary>Bytes of an unfinished record at the file's end: its writer was killed, and nothing was promised about it. Known at the end.</summary>
    public long TornBytes { get; private set; }

    /// <summary>Bytes of records that were whole and are not as they were written. Known at the end.</summary>
    public long DamagedBytes { get; private set; }

    /// <summary>Reads the next good record; the slice's one reference is the caller's.</summary>
    /// <returns>False at the end, or behind a header that does not say where the next record begins.</returns>
    public bool TryRead(out FrameSlice frames, out int results)
    {
        Span<byte> header = stackalloc byte[SpoolRecord.HeaderSize];
        while (true)
        {
            frames = default;
            results = 0;
            var got = _stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
            if (got < header.Length)
            {
                TornBytes = got;
                return false;
            }

            if (!SpoolRecord.TryReadHeader(header, out var length, out results, out var hash))
            {
                DamagedBytes += header.Length + _stream.Length - _stream.Position;
                _stream.Seek(0, SeekOrigin.End);
                return false;
            }

            var buffer = pool.Rent(length);
            var body = buffer.Array.AsSpan(0, length);
            got = _stream.ReadAtLeast(body, length, throwOnEndOfStream: false);
            if (got == length && SpoolRecord.Hash(body) == hash)
            {
                frames = new FrameSlice(buffer, 0, length);
                return true;
            }

            buffer.Release();
            if (got < length)
            {
                TornBytes = header.Length + got;
                return false;
            }

            DamagedBytes += header.Length + length;
        }
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
