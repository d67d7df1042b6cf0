using System.Globalization;
using FuncX.Manager.Interop;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Manager.Staging;

/// <summary>Files as this node sees them: each is read once, unless the cache has seen it before as it is now (path, length, time of change).</summary>
internal sealed class SourceFiles(IReadOnlyList<string> paths, string node) : IStageSource
{
    private const int PieceBytes = 1 << 20;
    private const int LockPauseMilliseconds = 50;

    public StagePlan Plan(StageProgress progress) => new(paths.Count, paths.Sum(path => Look(path).Length));

    public StagedFile Bring(int index, StageCache cache, StageProgress progress)
    {
        var path = paths[index];
        while (true)
        {
            var info = Look(path);
            var source = Describe(info);
            using var mine = cache.TryLock(source);
            if (mine is null)
            {
                // Another manager of this node brings it.
                Thread.Sleep(LockPauseMilliseconds);
                continue;
            }

            if (cache.Seen(source) is { } seen && Of(info, seen) is var known && cache.Has(known, progress))
                return known;
            return Copy(info, source, cache, progress);
        }
    }

    private static StagedFile Of(FileInfo info, string digest) => new(info.Name, digest, info.Length, (info.UnixFileMode & UnixFileMode.UserExecute) != 0);

    private static string Describe(FileInfo info) =>
        string.Create(CultureInfo.InvariantCulture, $"{info.FullName}\n{info.Length}\n{info.LastWriteTimeUtc.Ticks}\n{(int)info.UnixFileMode}");

    private StagedFile Copy(FileInfo info, string source, StageCache cache, StageProgress progress)
    {
        using var writer = cache.Begin(source, info.Length);
        using (var file = Open(info.FullName))
        {
            var piece = new byte[PieceBytes];
            while (RandomAccess.Read(file, piece, writer.Bytes) is > 0 and var bytes)
            {
                writer.Append(piece.AsSpan(0, bytes));
                progress.Add(bytes);
            }
        }

        info.Refresh();
        if (!info.Exists || Describe(info) != source || writer.Bytes != info.Length)
            throw new StageException($"{info.FullName} changed while it was read");
        var digest = writer.Digest();
        var staged = Of(info, digest);
        writer.Complete(staged, digest);
        cache.Note(source, digest);
        return staged;
    }

    private SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new StageException($"{path} may not be read on node {node} by user {FileOwnership.CurrentUser}, who runs this endpoint's blocks ({refused.Message}). Give that user the right to read it; it is tried again");
        }
    }

    private FileInfo Look(string path)
    {
        var info = new FileInfo(path);
        if (info.Exists)
            return info;
        throw new StageException(Directory.Exists(path)
            ? $"{path} is a directory on node {node}; stage_in takes files"
            : $"{path} is not there on node {node}, or may not be seen. stage_in names files as the nodes see them: what only the endpoint's machine has is not carried. Copy it to a file system that the nodes share; it is looked for again");
    }
}
