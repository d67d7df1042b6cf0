using System.Text;

namespace FuncX.Configuration;

/// <summary>
/// Reads YAML strictly: every error of a file at once with line and column; unknown keys, duplicates and wrong types are errors. Used by the
/// endpoint for its machine's file and by the service for <c>service.yaml</c>.
/// </summary>
/// <example><code>
/// var result = ConfigurationFile.Read("service.yaml", canRunCode: false, root => new ServiceConfiguration
/// {
///     Listen = root.Text("listen", "127.0.0.1:7070"),
///     DataDirectory = root.Path("data_dir", "/var/lib/funcx"),
///     Retention = root.Section("limits").Duration("retention", TimeSpan.FromDays(14), TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650)),
/// });
/// if (!result.IsValid) foreach (var error in result.Errors) Console.Error.WriteLine(error);
/// </code></example>
public static class ConfigurationFile
{
    /// <summary>Larger files are refused.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>No more errors than this are listed.</summary>
    public const int MaxErrors = 100;

    /// <summary>Reads a file and binds it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="canRunCode">The file has keys whose text is executed: it must not be writable by group or others, and must belong to this user or root.</param>
    /// <param name="bind">Asks the root section for every key there is. What it does not ask for is an unknown key.</param>
    public static ConfigurationResult<T> Read<T>(string path, bool canRunCode, Func<ConfigurationSection, T> bind)
        where T : class
    {
        var errors = new ConfigurationErrors(path);
        byte[] bytes;
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            if (canRunCode)
                CheckWriters(stream, path, errors);
            if (stream.CanSeek && stream.Length > MaxBytes)
            {
                errors.Add(1, 1, $"the file has {stream.Length} bytes; at most {MaxBytes} (1 MiB) are read");
                return errors.Result<T>(null);
            }

            bytes = ReadCapped(stream);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            errors.Add(1, 1, problem is FileNotFoundException or DirectoryNotFoundException
                ? "there is no such file"
                : $"the file cannot be read: {problem.Message}");
            return errors.Result<T>(null);
        }

        if (bytes.Length > MaxBytes)
        {
            errors.Add(1, 1, $"the file has more than {MaxBytes} bytes (1 MiB), the most that is read");
            return errors.Result<T>(null);
        }

        string text;
        try
        {
            text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            errors.Add(1, 1, "the file is not UTF-8 text");
            return errors.Result<T>(null);
        }

        return Bind(text.TrimStart('\uFEFF'), errors, new KeyNotes(), bind, Environment.GetEnvironmentVariable);
    }

    /// <summary>Binds a text; <paramref name="file"/> is the name that errors carry.</summary>
    public static ConfigurationResult<T> Parse<T>(string file, string text, Func<ConfigurationSection, T> bind, Func<string, string?>? environment = null)
        where T : class
    {
        var errors = new ConfigurationErrors(file);
        if (text.Length > MaxBytes)
        {
            errors.Add(1, 1, $"the text has {text.Length} characters; at most {MaxBytes} are read");
            return errors.Result<T>(null);
        }

        return Bind(text, errors, new KeyNotes(), bind, environment ?? Environment.GetEnvironmentVariable);
    }

    /// <summary>
    /// The keys that <paramref name="bind"/> asks for when it reads <paramref name="text"/>, in its order. What is wrong with the text does not matter, since every key is asked
    /// for all the same; it has to have the sections that are read only when they are there.
    /// </summary>
    public static IReadOnlyList<KeyDescription> Describe<T>(string text, Func<ConfigurationSection, T> bind)
        where T : class
    {
        var notes = new KeyNotes();
        Bind(text, new ConfigurationErrors("description"), notes, bind, static _ => null);
        return notes.Described();
    }

    private static ConfigurationResult<T> Bind<T>(string text, ConfigurationErrors errors, KeyNotes notes, Func<ConfigurationSection, T> bind, Func<string, string?> environment)
        where T : class
    {
        var root = SourceParser.Parse(text, errors);
        if (root is null)
            return errors.Result<T>(null);
        var section = ConfigurationSection.Root(root, errors, notes, environment);
        var value = bind(section);
        section.ReportUnknownKeys();
        return errors.Result(value);
    }

    private static byte[] ReadCapped(FileStream stream)
    {
        var buffer = new byte[MaxBytes + 1];
        var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return buffer[..length];
    }

    private static void CheckWriters(FileStream stream, string path, ConfigurationErrors errors)
    {
        var mode = File.GetUnixFileMode(stream.SafeFileHandle);
        if ((mode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != UnixFileMode.None)
            errors.Add(1, 1, $"others may write this file ({FileModes.Octal(mode)}), and it can run code as you. Run: chmod go-w {path}");
        var owner = FileModes.OwnerOf(stream.SafeFileHandle);
        if (owner != 0 && owner != FileModes.CurrentUser)
            errors.Add(1, 1, $"this file belongs to user id {owner}, not to you ({FileModes.CurrentUser}), and it can run code as you. Copy it and use the copy");
    }
}
