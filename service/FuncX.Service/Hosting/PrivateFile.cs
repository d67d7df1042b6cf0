using FuncX.Configuration;

namespace FuncX.Service.Hosting;

/// <summary>Small files that only the service's user may read.</summary>
public static class PrivateFile
{
    /// <summary>Writes the file with mode 0600; readers see the old content or the new, never a part.</summary>
    public static void Write(string path, string text)
    {
        var temporary = $"{path}.{Environment.ProcessId}";
        File.Delete(temporary);
        using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        using (var writer = new StreamWriter(stream))
        {
            writer.Write(text);
            writer.Flush();
            DiskSync.Flush(stream.SafeFileHandle, temporary);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
