using System.Text;

namespace FuncX.Providers;

/// <summary>The end of a log file, for messages that say why something ended.</summary>
public static class LogTail
{
    /// <summary>The last lines, at most <paramref name="maxLines"/> and 4 KiB; empty when there are none.</summary>
    public static string Read(string path, int maxLines = 3)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            stream.Seek(-Math.Min(stream.Length, 4_096), SeekOrigin.End);
            using var reader = new StreamReader(stream, Encoding.UTF8);
            var lines = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return string.Join('\n', lines.TakeLast(maxLines));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
