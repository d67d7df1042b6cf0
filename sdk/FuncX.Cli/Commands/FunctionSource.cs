using System.Buffers;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using System.Text.Unicode;
using FuncX.Client.Registry;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary>A function in a file, as the command line names it.</summary>
internal sealed class FunctionSource
{
    private readonly Func<FunctionRegistry, string?, string, IReadOnlyList<string>, string?, CancellationToken, Task<FunctionInfo>> _register;

    private FunctionSource(Func<FunctionRegistry, string?, string, IReadOnlyList<string>, string?, CancellationToken, Task<FunctionInfo>> register) => _register = register;

    public static FunctionSource Read(string source)
    {
        if (source.Contains("::", StringComparison.Ordinal))
        {
            var (package, method) = ReadDotnet(source);
            return new FunctionSource((registry, name, description, requires, container, cancellation) => registry.RegisterDotnetAsync(package, method, name, description, requires, container, cancellation));
        }

        if (source.EndsWith(".json", StringComparison.Ordinal))
        {
            var definition = ReadUtf8(source);
            return new FunctionSource((registry, name, description, requires, container, cancellation) =>
                registry.RegisterCommandAsync(name ?? Path.GetFileNameWithoutExtension(source), definition, description, requires, container, cancellation));
        }

        var (code, entry) = ReadPython(source);
        return new FunctionSource((registry, name, description, requires, container, cancellation) => registry.RegisterPythonAsync(code, entry, name, description, requires, container, cancellation));
    }

    /// <param name="registry">Where.</param>
    /// <param name="name">For people; null: its own.</param>
    /// <param name="description">For people.</param>
    /// <param name="requires">What a node must have.</param>
    /// <param name="container">What it runs in; null: no container.</param>
    public Task<FunctionInfo> RegisterAsync(FunctionRegistry registry, string? name, string description, IReadOnlyList<string> requires, string? container, CancellationToken cancellation) =>
        _register(registry, name, description, requires, container, cancellation);

    // The assembly's name is the file's; what an archive or a directory is called says nothing, so there it can be named.
    private static (byte[] Package, string Entry) ReadDotnet(string source)
    {
        var parts = source.Split("::");
        if (parts.Length is not (3 or 4) || parts.Any(static part => part.Length == 0))
            throw new UsageException($"'{source}' names no .NET method; write LIBRARY.dll::Namespace.Type::Method, or ARCHIVE.zip::Assembly::Namespace.Type::Method.");
        var path = parts[0];
        if (!File.Exists(path) && !Directory.Exists(path))
            throw new UsageException($"{path} does not exist.");
        var assembly = parts.Length == 4 ? parts[1] : Path.GetFileNameWithoutExtension(path.TrimEnd('/'));
        var package = path.EndsWith(".zip", StringComparison.Ordinal) ? File.ReadAllBytes(path) : Pack(Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!);
        return (package, $"{assembly}::{parts[^2]}::{parts[^1]}");
    }

    // An assembly and what lies beside it: what `dotnet publish` makes. The program that starts it, if there is one, is not needed.
    private static byte[] Pack(string directory)
    {
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            var files = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
                .Where(static file => Path.GetExtension(file) is ".dll" or ".so" or ".pdb" || file.EndsWith(".deps.json", StringComparison.Ordinal));
            foreach (var file in files.Order(StringComparer.Ordinal))
            {
                // The same files make the same package, and so the same function.
                var entry = archive.CreateEntry(Path.GetRelativePath(directory, file), CompressionLevel.SmallestSize);
                entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
                using var output = entry.Open();
                using var input = File.OpenRead(file);
                input.CopyTo(output);
            }
        }

        return bytes.ToArray();
    }

    // Splits FILE.py:NAME and reads the file.
    private static (string Code, string Entry) ReadPython(string source)
    {
        var colon = source.LastIndexOf(':');
        if (colon <= 0 || colon == source.Length - 1)
            throw new UsageException($"'{source}' names no function; write FILE.py:NAME, as work.py:fit, LIBRARY.dll::Namespace.Type::Method, or FILE.json.");
        var (file, entry) = (source[..colon], source[(colon + 1)..]);
        if (!Regex.IsMatch(entry, @"^[\p{L}_][\p{L}\p{Nd}_]*$", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)))
            throw new UsageException($"'{entry}' in '{source}' is not a Python name.");
        var code = ReadUtf8(file);
        if (!Regex.IsMatch(code, $@"\b{Regex.Escape(entry)}\b", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)))
            throw new UsageException($"{file} does not define '{entry}'.");
        return (code, entry);
    }

    /// <summary>The text of a file; bytes that are none are refused, since another text would be registered in their place.</summary>
    private static string ReadUtf8(string file)
    {
        if (!File.Exists(file))
            throw new UsageException($"{file} does not exist.");
        ReadOnlySpan<byte> bytes = File.ReadAllBytes(file);
        var mark = bytes.StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        var text = new char[bytes.Length];
        var status = Utf8.ToUtf16(bytes[mark..], text, out var read, out var written, replaceInvalidSequences: false);
        return status == OperationStatus.Done
            ? new string(text, 0, written)
            : throw new UsageException($"{file} is not UTF-8 text: the byte at offset {mark + read} is 0x{bytes[mark + read]:X2}. Save it as UTF-8.");
    }
}
