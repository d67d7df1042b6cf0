using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FuncX.Providers.Batch;

namespace FuncX.Tests.Providers;

/// <summary>What a real scheduler's command printed once, and what a provider has to conclude from it. See Recordings/README.md.</summary>
internal sealed record Recording(string Name, string Command, CommandOutput Output)
{
    /// <summary>All recordings of a scheduler, by name.</summary>
    public static IReadOnlyDictionary<string, Recording> All(string scheduler) => Lines($"{scheduler}.jsonl").Select(Read).ToDictionary(static recording => recording.Name, StringComparer.Ordinal);

    /// <summary>The table of conclusions, by the recording's name.</summary>
    public static IReadOnlyDictionary<string, Row> Rows(string scheduler) =>
        Lines($"{scheduler}.conclusions").Select(static line => line.Split('\t')).ToDictionary(static row => row[0], static row => new Row(row[1], row.ElementAtOrDefault(2) ?? ""), StringComparer.Ordinal);

    /// <summary>Of what was recorded, as pack.py takes it from the recorder's files.</summary>
    public static (string Name, string Checksum) Checksum(string line)
    {
        using var document = JsonDocument.Parse(line);
        var root = document.RootElement;
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in new[] { "command", "exit", "stdout", "stderr", "submit" })
        {
            if (root.TryGetProperty(part, out var content))
                sum.AppendData(content.ValueKind == JsonValueKind.Number ? Encoding.UTF8.GetBytes(content.GetRawText()) : Bytes(content));
            sum.AppendData([0]);
        }

        return (root.GetProperty("name").GetString()!, Convert.ToHexStringLower(sum.GetHashAndReset()));
    }

    private static string[] Lines(string resource)
    {
        using var reader = new StreamReader(typeof(Recording).Assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>What has to be concluded, and words that an output has which no reader of ours is for.</summary>
    internal sealed record Row(string Conclusion, string Shown)
    {
        public bool IsShown(CommandOutput output) => Shown.Length == 0 || Shown.Split("; ").All(word => output.Output.Contains(word, StringComparison.Ordinal) || output.Errors.Contains(word, StringComparison.Ordinal));
    }

    private static Recording Read(string line)
    {
        using var document = JsonDocument.Parse(line);
        var root = document.RootElement;
        return new Recording(root.GetProperty("name").GetString()!, root.GetProperty("command").GetString()!,
            // 124 is the recorder's own limit of time.
            new CommandOutput(root.GetProperty("exit").GetInt32(), Content(root.GetProperty("stdout")), Content(root.GetProperty("stderr")), TimedOut: root.GetProperty("exit").GetInt32() == 124));
    }

    private static string Content(JsonElement stream) => Encoding.UTF8.GetString(Bytes(stream));

    private static byte[] Bytes(JsonElement stream) =>
        stream.ValueKind == JsonValueKind.String ? Encoding.UTF8.GetBytes(stream.GetString()!) : stream.GetProperty("base64").GetBytesFromBase64();
}
