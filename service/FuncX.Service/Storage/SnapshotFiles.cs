using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using FuncX.Configuration;

namespace FuncX.Service.Storage;

/// <summary>
/// Pictures of the live state, one file each, named by the chunk they stand behind: a restart reads the newest and the chunks after it. A file is
/// whole or not there: written aside, synced, renamed; its last 8 bytes are the XXH3 of the rest. The newest two are kept.
/// </summary>
public sealed class SnapshotFiles
{
    private readonly string _directory;

    public SnapshotFiles(string directory)
    {
        _directory = directory;
        Directory.CreateDirectory(directory);
        foreach (var unfinished in Directory.GetFiles(directory, "*.snapshot.new"))
            File.Delete(unfinished);
    }

    /// <summary>Writes a snapshot and deletes all but it and the one before.</summary>
    /// <exception cref="IOException">It could not be written; the older ones are still there.</exception>
    public void Write(long chunk, ReadOnlySpan<byte> snapshot)
    {
        var path = Path.Combine(_directory, chunk.ToString("x16", CultureInfo.InvariantCulture) + ".snapshot");
        var aside = path + ".new";
        Span<byte> digest = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(digest, XxHash3.HashToUInt64(snapshot));
        try
        {
            using (var file = File.OpenHandle(aside, FileMode.Create, FileAccess.Write))
            {
                RandomAccess.Write(file, snapshot, 0);
                RandomAccess.Write(file, digest, snapshot.Length);
                DiskSync.Flush(file, aside);
            }

            FailPoints.Pass("before-commit-snapshot");
            File.Move(aside, path, overwrite: true);
        }
        catch (IOException)
        {
            // The next one has another name, and the room may be what is missing.
            File.Delete(aside);
            throw;
        }

        FailPoints.Pass("after-commit-snapshot");
        DiskSync.FlushDirectory(_directory);
        var old = List();
        for (var index = 2; index < old.Count; index++)
            File.Delete(old[index].Path);
    }

    /// <summary>Snapshots that are whole, newest first.</summary>
    public IEnumerable<(long Chunk, byte[] Snapshot)> Read()
    {
        foreach (var (chunk, path) in List())
        {
            var bytes = File.ReadAllBytes(path);
            if (bytes.Length >= 8 && BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(bytes.Length - 8)) == XxHash3.HashToUInt64(bytes.AsSpan(0, bytes.Length - 8)))
                yield return (chunk, bytes[..^8]);
        }
    }

    private List<(long Chunk, string Path)> List()
    {
        var found = new List<(long Chunk, string Path)>();
        foreach (var path in Directory.EnumerateFiles(_directory, "*.snapshot"))
        {
            if (long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var chunk))
                found.Add((chunk, path));
        }

        found.Sort(static (left, right) => right.Chunk.CompareTo(left.Chunk));
        return found;
    }
}
