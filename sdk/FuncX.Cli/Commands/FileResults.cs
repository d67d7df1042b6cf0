using System.Text;
using System.Text.Json;
using FuncX.Cli.Output;
using FuncX.Client;
using FuncX.Wire;

namespace FuncX.Cli.Commands;

/// <summary>A directory that gets a file for each value of a map over files. None of them may be there before: an old value would be taken for a new one.</summary>
internal sealed class FileResults
{
    private readonly string _directory;

    private FileResults(string directory) => _directory = directory;

    /// <exception cref="UsageException">Two values would go to one file, or one is there.</exception>
    public static FileResults Open(string directory, IReadOnlyList<string> files)
    {
        if (File.Exists(directory))
            throw new UsageException($"--output-dir: {directory} is a file.");
        var results = new FileResults(directory);
        var known = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            var target = results.PathOf(file);
            if (!known.TryAdd(target, file))
                throw new UsageException($"--output-dir: {known[target]} and {file} would both be written to {target}; nothing was submitted.");
            if (File.Exists(target) || Directory.Exists(target))
                throw new UsageException($"--output-dir: {target} is there already; nothing was submitted.");
        }

        Directory.CreateDirectory(directory);
        return results;
    }

    /// <summary>Where the value of a file goes.</summary>
    public string PathOf(string file) => Path.Combine(_directory, $"{Path.GetFileName(file)}.json");

    /// <summary>Writes a value; gives where. Whoever looks meanwhile finds the whole of it or nothing.</summary>
    public string Write(string file, RawResult value)
    {
        var target = PathOf(file);
        using (var output = new FileStream($"{target}.part", FileMode.Create, FileAccess.Write))
        {
            output.Write(value.ContentType == ContentType.Json ? value.Bytes.Span : Encoding.UTF8.GetBytes(Values.Node(value)!.ToJsonString()));
            output.WriteByte((byte)'\n');
        }

        File.Move($"{target}.part", target, overwrite: true);
        return target;
    }
}
