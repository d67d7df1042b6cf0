using System.Text;
using FuncX.Telemetry;

namespace FuncX.Endpoint.Commands;

/// <summary>The ends of log files, copied byte by byte, and what is written to them afterwards. A file that was begun anew is read from its start.</summary>
internal sealed class LogTails(IReadOnlyList<string> paths, Stream output) : IDisposable
{
    private const int Piece = 64 * 1024;

    private readonly FileStream?[] _files = new FileStream?[paths.Count];
    private readonly byte[] _buffer = new byte[Piece];
    private string? _shown;

    /// <summary>Shows the last lines of each; what its file lacks comes from those that it was before.</summary>
    public async Task ShowAsync(int lines, CancellationToken cancellation)
    {
        for (var i = 0; i < paths.Count; i++)
        {
            if ((_files[i] = Open(paths[i])) is not { } file)
                continue;
            var left = lines - await SeekLastAsync(file, lines, cancellation);
            var earlier = new Stack<FileStream>();
            foreach (var (path, _) in left > 0 ? LogFileStream.Older(paths[i]) : [])
            {
                if (left == 0 || Open(path) is not { } older)
                    break;
                left -= await SeekLastAsync(older, left, cancellation);
                earlier.Push(older);
            }

            await CopyAllAsync(i, earlier, cancellation);
            await CopyAsync(i, file, cancellation);
        }
    }

    /// <summary>Shows what came since.</summary>
    public async Task GoOnAsync(CancellationToken cancellation)
    {
        for (var i = 0; i < paths.Count; i++)
        {
            if (_files[i] is { } file)
                await CopyAsync(i, file, cancellation);
            if (Open(paths[i]) is not { } now)
                continue;
            if (_files[i] is { } open && open.Length >= open.Position && NameOf(open) == NameOf(now))
            {
                now.Dispose();
                continue;
            }

            // Rotated, perhaps more than once: the name is another file's now, or this one was cut.
            if (_files[i] is { } before)
            {
                await CopyAsync(i, before, cancellation);
                await CopyAllAsync(i, Between(paths[i], before, now), cancellation);
                before.Dispose();
            }

            _files[i] = now;
            await CopyAsync(i, now, cancellation);
        }
    }

    public void Dispose()
    {
        foreach (var file in _files)
            file?.Dispose();
    }

    private async Task CopyAsync(int index, FileStream file, CancellationToken cancellation)
    {
        int count;
        while ((count = await file.ReadAsync(_buffer, cancellation)) > 0)
        {
            if (paths.Count > 1 && _shown != paths[index])
                await output.WriteAsync(Encoding.UTF8.GetBytes($"{(_shown is null ? "" : "\n")}==> {paths[index]} <==\n"), cancellation);
            _shown = paths[index];
            await output.WriteAsync(_buffer.AsMemory(0, count), cancellation);
        }

        await output.FlushAsync(cancellation);
    }

    private async Task CopyAllAsync(int index, Stack<FileStream> files, CancellationToken cancellation)
    {
        while (files.TryPop(out var file))
        {
            await using (file)
                await CopyAsync(index, file, cancellation);
        }
    }

    // What the log was after one file and before another, the oldest on top; none when the one is gone, and nobody can say.
    private static Stack<FileStream> Between(string path, FileStream before, FileStream now)
    {
        var between = new Stack<FileStream>();
        foreach (var (older, _) in LogFileStream.Older(path))
        {
            if (Open(older) is not { } file)
                continue;
            if (NameOf(file) == NameOf(before))
            {
                file.Dispose();
                return between;
            }

            // Rotated once more since: this is the one that has been opened already.
            if (NameOf(file) == NameOf(between.TryPeek(out var last) ? last : now))
                file.Dispose();
            else
                between.Push(file);
        }

        foreach (var file in between)
            file.Dispose();
        return [];
    }

    // From the end backwards: a log of gigabytes costs what is shown of it. Says how many lines there are behind the place.
    private async Task<int> SeekLastAsync(FileStream file, int lines, CancellationToken cancellation)
    {
        var end = file.Length;
        var found = 0;
        for (var at = lines == 0 ? 0 : end; at > 0;)
        {
            var size = (int)Math.Min(Piece, at);
            at -= size;
            file.Position = at;
            await file.ReadExactlyAsync(_buffer.AsMemory(0, size), cancellation);
            for (var i = size; i-- > 0;)
            {
                // The last line's own end is none between two lines.
                if (_buffer[i] != '\n' || at + i == end - 1 || ++found < lines)
                    continue;
                file.Position = at + i + 1;
                return found;
            }
        }

        file.Position = lines == 0 ? end : 0;
        return lines > 0 && end > 0 ? found + 1 : found;
    }

    private static FileStream? Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    // As the kernel knows it at this moment, whatever links led there: a file that was renamed or removed has another name.
    private static string? NameOf(FileStream file) => new FileInfo($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}").LinkTarget;
}
