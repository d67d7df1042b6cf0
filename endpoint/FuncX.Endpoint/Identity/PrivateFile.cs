using System.Text.Json;
using FuncX.Configuration;

namespace FuncX.Endpoint.Identity;

/// <summary>Files that only this user may read: mode 0600, replaced whole, so that a reader sees the old content or the new.</summary>
public static class PrivateFile
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    /// <summary>Writes the file; after a crash it is the old one or the new one.</summary>
    public static void WriteJson<T>(string path, T value) => Write(path, JsonSerializer.SerializeToUtf8Bytes(value, s_json));

    /// <inheritdoc cref="WriteJson"/>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = FileModes.PrivateFile,
        }))
        {
            stream.Write(content);
            stream.Flush();
            DiskSync.Flush(stream.SafeFileHandle, temporary);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads the file; null when there is none.</summary>
    /// <exception cref="InvalidDataException">It is not of this shape, or others may read or write it.</exception>
    public static T? ReadJson<T>(string path)
        where T : class
    {
        if (!File.Exists(path))
            return null;
        RefuseOthers(path);
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllBytes(path)) ?? throw new InvalidDataException($"{path} is empty. Remove it");
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path} cannot be read: {problem.Message} Remove it", problem);
        }
    }

    /// <summary>Refuses a file with a secret that others may read or write.</summary>
    /// <exception cref="InvalidDataException">They may; the message has the command that ends it.</exception>
    public static void RefuseOthers(string path)
    {
        var mode = File.GetUnixFileMode(path);
        if ((mode & ~FileModes.PrivateFile & ~UnixFileMode.UserExecute) != UnixFileMode.None)
            throw new InvalidDataException($"{path} holds a secret but others may read or write it ({FileModes.Octal(mode)}). Run: chmod 600 {path}");
    }
}
