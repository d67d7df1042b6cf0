using System.Text;

namespace FuncX.Endpoint.Commands;

/// <summary>The ends of log files, copied byte by byte, and what is written to them afterwards. A file that was begun anew is read from its start.</summary>
internal sealed class LogTails(IReadOnlyList<string> paths, Stream output) : IDisposable
{
    private const int Piece = 64 * 1024;

    private readonly FileStream?[] _files = new FileStream?[paths.Count];
    private readonly byte[] _buffer = new byte[Piece];
    private string? _shown;

    /// <summary>Shows the last lines of each.</summary>
    public async Task ShowAsync(int lines, CancellationToken cancellation)
    {
        for (var i = 0; i < paths.Count; i++)
        {
            if ((_files[i] = Open(paths[i])) is not { } file)
                continue;
            file.Position = await StartOfLastAsync(file, lines, cancellation);
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
            // Rotated: the name is another file's now, or this one was cut.
            if (_files[i] is { } open && open.Length >= open.Position && NameOf(open) == NameOf(now))
            {
                now.Dispose();
                continue;
            }

            _files[i]?.Dispose();
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

    // From the end backwards: a log of gigabytes costs what is shown of it.
    private async Task<long> StartOfLastAsync(FileStream file, int lines, CancellationToken cancellation)
    {
        var end = file.Length;
        var left = lines;
        for (var at = lines == 0 ? 0 : end; at > 0;)
        {
            var size = (int)Math.Min(Piece, at);
            at -= size;
            file.Position = at;
            await file.ReadExactlyAsync(_buffer.AsMemory(0, size), cancellation);
            for (var i = size; i-- > 0;)
            {
                // The last line's own end is none between two lines.
                if (_buffer[i] == '\n' && at + i != end - 1 && --left == 0)
                    return at + i + 1;
            }
        }

        return lines == 0 ? end : 0;
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
