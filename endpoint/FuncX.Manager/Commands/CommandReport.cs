using System.Buffers;
using System.IO.Enumeration;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using FuncX.Definitions;
using FuncX.Manager.Interop;
using FuncX.Wire;
using FuncX.Workers;

namespace FuncX.Manager.Commands;

/// <summary>What a command function returns, from how its command ended.</summary>
internal sealed class CommandReport(CommandDefinition function, CommandCall call, CommandEnd end, CommandOutput output, TaskDirectory directory, WorkerWelcome limits)
{
    private const int MessageBytes = 4_000;

    private readonly List<(string Path, byte[] Bytes)> _files = [];
    private readonly List<string> _missing = [];

    /// <summary>What a command had written, out of the value that tells of it.</summary>
    public static (byte[] Stdout, byte[] Stderr) ReadOutput(ReadOnlySpan<byte> value)
    {
        try
        {
            using var report = JsonDocument.Parse(value.ToArray());
            return (Of(report.RootElement, "stdout"), Of(report.RootElement, "stderr"));
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            // Whatever has the rights of the worker may have said it.
            return ([], []);
        }

        static byte[] Of(JsonElement report, string name) => report.TryGetProperty(name, out var text) ? Encoding.UTF8.GetBytes(text.GetString() ?? "") : [];
    }

    public Answer ToAnswer()
    {
        if (CollectFiles() is { } tooLarge)
            return tooLarge;
        if (function.Check && end.ReturnCode != 0)
            return Failed("CommandFailed", $"'{call.Command[0]}' {How()}{Said()}");
        if (end.ReturnCode == 0 && _missing.Count > 0)
            return Failed("OutputMissing", $"'{call.Command[0]}' ended well and left no {string.Join(", ", _missing)}, which 'outputs' names");
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
            Write(writer);
        return Answer.Json(buffer.WrittenSpan.ToArray()) with { Code = end.ReturnCode };
    }

    private string How() => end.TimedOut ? $"had not ended after its walltime of {function.Walltime!.Value.TotalSeconds} s (return code {end.ReturnCode})"
        : end.ReturnCode < 0 ? $"was ended by signal {-end.ReturnCode}" : $"ended with return code {end.ReturnCode}";

    private string Said()
    {
        var stderr = output.Stderr.Take();
        var tail = Encoding.UTF8.GetString(stderr.AsSpan(Math.Max(0, stderr.Length - MessageBytes))).Trim();
        return tail.Length == 0 ? "" : $": {tail}";
    }

    private Answer Failed(string type, string message) => Answer.Failed(type, message) with { Code = end.ReturnCode, Stdout = output.Stdout.Take(), Stderr = output.Stderr.Take() };

    private void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteNumber("returncode", end.ReturnCode);
        Write(writer, "stdout", output.Stdout);
        Write(writer, "stderr", output.Stderr);
        if (end.TimedOut)
            writer.WriteBoolean("timed_out", true);
        if (end.LeftBehind > 0)
            writer.WriteNumber("left_behind", end.LeftBehind);
        if (function.Outputs.Count > 0)
        {
            writer.WriteStartObject("files");
            foreach (var (path, bytes) in _files)
            {
                writer.WriteStartObject(path);
                if (Utf8.IsValid(bytes))
                    writer.WriteString("text", bytes);
                else
                    writer.WriteBase64String("base64", bytes);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        if (_missing.Count > 0)
        {
            writer.WriteStartArray("missing");
            foreach (var path in _missing)
                writer.WriteStringValue(path);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    // Bytes that are no UTF-8 become U+FFFD: a result is JSON.
    private static void Write(Utf8JsonWriter writer, string name, OutputStream stream)
    {
        var kept = stream.Take();
        writer.WriteString(name, Encoding.UTF8.GetString(kept));
        if (stream.Total > kept.Length)
            writer.WriteNumber($"{name}_bytes", stream.Total);
        if (stream.File is not null)
            writer.WriteString($"{name}_file", stream.File);
    }

    private Answer? CollectFiles()
    {
        var left = limits.ResultLimit;
        foreach (var pattern in function.Outputs)
        {
            var found = Find(pattern);
            if (found.Count == 0)
                _missing.Add(pattern);
            foreach (var path in found)
            {
                var relative = Path.GetRelativePath(directory.Path, path);
                if (_files.Exists(file => file.Path == relative))
                    continue;
                left -= new FileInfo(path).Length;
                if (left < 0)
                {
                    return Answer.Failed("ResultTooLarge", $"the output files have more than {limits.ResultLimit} bytes, the endpoint's limit limits.result", outcome: TaskOutcome.TooLarge)
                        with
                    { Stdout = output.Stdout.Take(), Stderr = output.Stderr.Take() };
                }

                _files.Add((relative, File.ReadAllBytes(path)));
            }
        }

        return null;
    }

    // A pattern stands for names in one directory. Links lead elsewhere and are none of the task's files, whichever part of the path is one; a pipe would be waited for.
    private List<string> Find(string pattern)
    {
        var parts = pattern.Split('/');
        var folder = directory.Path;
        foreach (var part in parts[..^1])
        {
            folder = Path.Combine(folder, part);
            if (new DirectoryInfo(folder) is not { Exists: true, LinkTarget: null })
                return [];
        }

        return [.. new DirectoryInfo(folder).EnumerateFiles()
            .Where(file => (file.Name == parts[^1] || FileSystemName.MatchesSimpleExpression(parts[^1], file.Name, ignoreCase: false))
                && FileOwnership.Of(file.FullName).Kind == FileOwnership.RegularFile)
            .Select(static file => file.FullName).Order(StringComparer.Ordinal)];
    }
}
