using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using FuncX.Client;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary>
/// The arguments of a map over files: of each its absolute path, since a function runs in another directory, or what is in it. Names are kept; contents are read
/// when their call is made. A file that cannot be read ends them, as a line that is not JSON does.
/// </summary>
internal sealed class FileArguments(IReadOnlyList<string> files, bool contents, bool binary) : IMapInput
{
    /// <summary>The most that a service can be set to take (payload_bytes): more is not even read.</summary>
    private const long MostBytes = 48 << 20;

    // What JSON does not need to escape is not: a line of Cyrillic would take three times its bytes of the service's limit.
    private static readonly JsonWriterOptions Sparing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public IReadOnlyList<string> Files => files;

    public long? Count => files.Count;

    public UsageException? Problem { get; private set; }

    /// <summary>Arguments are bytes, not JSON; known once the function is.</summary>
    public bool Octets { get; private set; }

    /// <exception cref="UsageException">Its kind takes no bytes.</exception>
    public void For(FunctionInfo function)
    {
        if (binary && function.Kind is not (FunctionKind.Python or FunctionKind.Command))
            throw new UsageException($"function {function.Name} is a {function.Kind.ToString().ToLowerInvariant()} function and takes JSON only; --binary is for Python and command functions.");
        Octets = contents && (binary || function.Kind is FunctionKind.Command);
    }

    public void Dispose()
    {
        // Files are closed when they have been read.
    }

    public async IAsyncEnumerable<CallArguments> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var file in files)
        {
            if (!contents)
            {
                yield return CallArguments.Of(Path.GetFullPath(file));
                continue;
            }

            if (await ReadAsync(file, cancellation) is not { } bytes)
                yield break;
            yield return Octets ? CallArguments.FromOctets(bytes) : CallArguments.FromJson(Quote(bytes));
        }
    }

    public string? FileOf(long index) => files[(int)index];

    public FuncXException Explain(FuncXException problem)
    {
        if (!contents || problem.Calls is not { } calls || !problem.Message.Contains("payload_bytes", StringComparison.Ordinal))
            return problem;
        // The message counts within what was sent together; the largest of it is what was too large.
        var (file, bytes) = Enumerable.Range((int)calls.First, calls.Count).Select(index => (files[index], BytesOf(files[index]))).MaxBy(static file => file.Item2);
        return new FuncXException(problem.Kind, string.Create(CultureInfo.InvariantCulture, $"{file} of {bytes} bytes is too large for an argument: {problem.Message}"), problem);
    }

    private async Task<byte[]?> ReadAsync(string file, CancellationToken cancellation)
    {
        try
        {
            var bytes = BytesOf(file);
            if (bytes > MostBytes)
                return Refuse(string.Create(CultureInfo.InvariantCulture, $"{file} has {bytes} bytes, and no service takes more than {MostBytes} as an argument (payload_bytes); pass its path instead, to a function that can read it."));
            var content = await File.ReadAllBytesAsync(file, cancellation);
            return Octets || Utf8.IsValid(content) ? content : Refuse($"{file} is not UTF-8 text; --binary sends the bytes as they are.");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return Refuse(problem.Message);
        }
    }

    private byte[]? Refuse(string message)
    {
        Problem = new UsageException($"{message} Neither it nor any file after it was called.");
        return null;
    }

    private static long BytesOf(string file) => new FileInfo(file) is { Exists: true } info ? info.Length : 0;

    private static ReadOnlyMemory<byte> Quote(byte[] text)
    {
        var output = new ArrayBufferWriter<byte>(text.Length + 16);
        using var writer = new Utf8JsonWriter(output, Sparing);
        writer.WriteStartArray();
        writer.WriteStringValue(text);
        writer.WriteEndArray();
        writer.Flush();
        return output.WrittenMemory;
    }
}
