using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using FuncX.Client;

namespace FuncX.Cli.Commands;

/// <summary>
/// The arguments of a map, a line each. A line that is not JSON ends them as if it were the last: an exception would end the map, and the values of the calls
/// before it, which run anyway, would never be printed.
/// </summary>
internal sealed class ArgumentLines : IMapInput
{
    private readonly TextReader _reader;
    private readonly string _name;
    private readonly string? _path;

    private ArgumentLines(TextReader reader, string name, string? path) => (_reader, _name, _path) = (reader, name, path);

    /// <summary>What was wrong with the line at which reading ended; null: with none.</summary>
    public UsageException? Problem { get; private set; }

    /// <summary>Lines of the file; null: nobody knows.</summary>
    public long? Count => _path is null ? null : CountLines(_path);

    /// <summary>The argument of a command that names the file.</summary>
    public static Argument<FileInfo?> File() => new("file.jsonl") { Description = "JSON lines; standard input when left out or '-'.", Arity = ArgumentArity.ZeroOrOne };

    /// <exception cref="UsageException">There is no such file.</exception>
    public static ArgumentLines Open(FileInfo? file, TextReader input)
    {
        if (file is null || file.Name == "-")
            return new ArgumentLines(input, "standard input", null);
        return file.Exists
            ? new ArgumentLines(new StreamReader(file.FullName, Encoding.UTF8), file.Name, file.FullName)
            : throw new UsageException($"{file} does not exist.");
    }

    public void Dispose()
    {
        if (_path is not null)
            _reader.Dispose();
    }

    public async IAsyncEnumerable<CallArguments> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        for (var number = 1L; await Terminal.ReadLineAsync(_reader, cancellation) is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            if (Parse(line, number) is not { } arguments)
                yield break;
            yield return arguments;
        }
    }

    public string? FileOf(long index) => null;

    public FuncXException Explain(FuncXException problem) => problem;

    private CallArguments? Parse(string line, long number)
    {
        var bytes = Encoding.UTF8.GetBytes(line.Trim());
        try
        {
            return CallArguments.FromJson(bytes);
        }
        catch (FormatException problem) when (problem.InnerException is JsonException)
        {
            Problem = new UsageException($"Line {number} of {_name} is not JSON: {problem.InnerException.Message} Neither it nor any line after it was called.");
            return null;
        }
        catch (FormatException)
        {
            // JSON, but no list of arguments: the value itself is the only one.
            return CallArguments.FromJson((byte[])[(byte)'[', .. bytes, (byte)']']);
        }
    }

    private static long CountLines(string path)
    {
        using var stream = System.IO.File.OpenRead(path);
        var buffer = new byte[256 * 1024];
        long lines = 0;
        var last = (byte)'\n';
        for (int read; (read = stream.Read(buffer)) > 0; last = buffer[read - 1])
            lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return last == (byte)'\n' ? lines : lines + 1;
    }
}
