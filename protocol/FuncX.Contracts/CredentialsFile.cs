using System.Text.Json;
using System.Text.Json.Serialization;

namespace FuncX.Contracts;

/// <summary>
/// <c>~/.funcx/credentials.json</c> (directory from <c>FUNCX_CONFIG_DIR</c> when set), mode 0600: which service a user is logged in to and with
/// which token. Written by <c>funcx login</c>; read by every SDK and by <c>funcx-endpoint</c> when it registers.
/// </summary>
public sealed record CredentialsFile
{
    /// <summary>Address of the service that commands use when none is named.</summary>
    [JsonPropertyName("current")]
    public string? Current { get; init; }

    /// <summary>Token by service address.</summary>
    [JsonPropertyName("tokens")]
    public Dictionary<string, string> Tokens { get; init; } = [];

    /// <summary>The file's path for this user.</summary>
    public static string DefaultPath => Path.Combine(
        Environment.GetEnvironmentVariable("FUNCX_CONFIG_DIR")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".funcx"),
        "credentials.json");

    /// <summary>Reads the file; an absent one is an empty one.</summary>
    /// <exception cref="InvalidDataException">It is not JSON of this shape, or others may read it.</exception>
    public static CredentialsFile Read(string path)
    {
        if (!File.Exists(path))
            return new CredentialsFile();
        var mode = File.GetUnixFileMode(path);
        if ((mode & (UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != UnixFileMode.None)
            throw new InvalidDataException($"{path} holds tokens but others may read or write it ({mode}). Run: chmod 600 {path}");
        try
        {
            return JsonSerializer.Deserialize<CredentialsFile>(File.ReadAllBytes(path)) ?? new CredentialsFile();
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path} is not a credentials file: {problem.Message}", problem);
        }
    }

    /// <summary>Writes the file atomically with mode 0600, its directory with 0700.</summary>
    public void Write(string path)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(directory))
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var temporary = $"{path}.{Environment.ProcessId}";
        using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            JsonSerializer.Serialize(stream, this);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
