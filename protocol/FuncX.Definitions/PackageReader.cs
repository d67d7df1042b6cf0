using System.IO.Compression;
using System.Text;

namespace FuncX.Definitions;

/// <summary>
/// The code of a function of kind <c>dotnet</c>: one assembly, or a zip archive of it and what it needs. Unpacked under caps: nothing outside its directory, no
/// links, no more bytes or files than allowed whatever the archive claims.
/// </summary>
public static class PackageReader
{
    /// <summary>Most bytes of all files of a package.</summary>
    public const long MostBytes = 256L << 20;

    public const int MostFiles = 2_000;

    /// <summary>Most bytes of a file's path, and of each of its parts: what file systems take.</summary>
    private const int MostPathBytes = 1_024;

    private const int MostPartBytes = 255;

    /// <summary>Is it an assembly by itself, not an archive?</summary>
    public static bool IsAssembly(ReadOnlySpan<byte> code) => code.StartsWith("MZ"u8);

    /// <summary>Checks what can be checked without unpacking.</summary>
    /// <exception cref="DefinitionException">It is no package, lacks the entry's assembly, or goes beyond a cap.</exception>
    public static void Check(byte[] code, DotnetEntry entry)
    {
        if (IsAssembly(code))
            return;
        using var archive = Open(code);
        _ = Files(archive);
        if (archive.GetEntry(entry.Assembly + ".dll") is null)
            throw new DefinitionException($"the package has no {entry.Assembly}.dll at its top, which the entry names");
    }

    /// <summary>Writes the package's files into a new directory.</summary>
    /// <exception cref="DefinitionException">It is no package, or goes beyond a cap.</exception>
    public static void Unpack(byte[] code, DotnetEntry entry, string directory)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (IsAssembly(code))
        {
            File.WriteAllBytes(Path.Combine(directory, entry.Assembly + ".dll"), code);
            return;
        }

        using var archive = Open(code);
        var left = MostBytes;
        var buffer = new byte[64 * 1024];
        foreach (var file in Files(archive))
        {
            var path = Path.Combine(directory, file.FullName);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var output = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
            try
            {
                // Counted as it comes: the size that an archive claims is a claim.
                using var input = file.Open();
                for (int count; (count = input.Read(buffer)) > 0;)
                {
                    left -= count;
                    if (left < 0)
                        throw TooLarge();
                    output.Write(buffer.AsSpan(0, count));
                }
            }
            catch (InvalidDataException problem)
            {
                throw new DefinitionException($"{file.FullName} in the package is damaged: {problem.Message}", problem);
            }
        }
    }

    private static ZipArchive Open(byte[] code)
    {
        try
        {
            return new ZipArchive(new MemoryStream(code, writable: false), ZipArchiveMode.Read);
        }
        catch (InvalidDataException problem)
        {
            throw new DefinitionException("the code is neither an assembly nor a zip archive", problem);
        }
    }

    private static List<ZipArchiveEntry> Files(ZipArchive archive)
    {
        IReadOnlyCollection<ZipArchiveEntry> entries;
        try
        {
            entries = archive.Entries;
        }
        catch (InvalidDataException problem)
        {
            throw new DefinitionException($"the package's list of files is damaged: {problem.Message}", problem);
        }

        if (entries.Count > MostFiles)
            throw new DefinitionException($"the package has {entries.Count} files; the most is {MostFiles}");
        var files = new List<ZipArchiveEntry>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var bytes = 0L;
        foreach (var entry in entries)
        {
            var parts = entry.FullName.TrimEnd('/').Split('/');
            if (entry.FullName.Contains('\\') || entry.FullName.Contains('\0') || parts.Any(static part => part is "" or "." or ".."))
                throw new DefinitionException($"the package's file '{entry.FullName}' is not below its directory");
            if (Encoding.UTF8.GetByteCount(entry.FullName) > MostPathBytes || parts.Any(static part => Encoding.UTF8.GetByteCount(part) > MostPartBytes))
                throw new DefinitionException($"a file of the package has a path of more than {MostPathBytes} bytes, or a part of it more than {MostPartBytes}");
            // The upper half of the attributes is the file's mode where a Unix program made the archive.
            if ((entry.ExternalAttributes >> 16 & 0xF000) is not (0 or 0x8000 or 0x4000))
                throw new DefinitionException($"the package's '{entry.FullName}' is no file: links and devices are not taken");
            if (!seen.Add(entry.FullName))
                throw new DefinitionException($"the package has '{entry.FullName}' twice");
            if (entry.FullName.EndsWith('/'))
                continue;
            bytes += entry.Length;
            if (entry.Length < 0 || bytes > MostBytes)
                throw TooLarge();
            files.Add(entry);
        }

        foreach (var name in seen)
        {
            for (var end = name.IndexOf('/'); end >= 0; end = name.IndexOf('/', end + 1))
            {
                if (seen.Contains(name[..end]))
                    throw new DefinitionException($"the package has '{name[..end]}' as a file and as a directory");
            }
        }

        return files;
    }

    private static DefinitionException TooLarge() => new($"the package's files have more than {MostBytes} bytes, which is the most");
}
