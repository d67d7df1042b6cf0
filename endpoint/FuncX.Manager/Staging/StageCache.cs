using System.Security.Cryptography;
using System.Text;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Staging;

/// <summary>
/// The files of <c>stage_in</c> on a node, which managers of one user may share: <c>files/</c> has each once, named by its content, <c>sets/</c> the directories that
/// workers see, with hard links under the files' own names, <c>sources/</c> which content a file elsewhere was seen to have. Whoever brings a file holds its lock,
/// which ends with the process, so that of several managers one brings it. Nothing is synced to the disk: content is checked whenever it is taken up.
/// </summary>
internal sealed class StageCache
{
    private const int HashBytes = 1 << 20;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _files;
    private readonly string _sets;
    private readonly string _sources;
    private readonly long _limit;

    // What was found or brought and is in no set yet.
    private readonly HashSet<string> _wanted = new(StringComparer.Ordinal);
    private FileStream? _set;

    /// <param name="root">Made when it is not there; must be this user's.</param>
    /// <param name="limit">Most bytes of files in it; 0: no limit.</param>
    /// <exception cref="StageException">The directory is somebody else's.</exception>
    public StageCache(string root, long limit)
    {
        Root = root;
        _limit = limit;
        _files = Path.Combine(root, "files");
        _sets = Path.Combine(root, "sets");
        _sources = Path.Combine(root, "sources");
        if (Path.GetDirectoryName(root) is { } parent)
            Directory.CreateDirectory(parent);
        Directory.CreateDirectory(root, Private);
        var ownership = FileOwnership.Of(root);
        // Others could put in what this user's functions then run.
        if (ownership.Owner != FileOwnership.CurrentUser || ownership.Kind == FileOwnership.SymbolicLink || (ownership.Mode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != 0)
            throw new StageException($"{root} must be a directory that belongs to the user of this process and that nobody else may write to; it belongs to user {ownership.Owner} and has the mode {Convert.ToString((int)ownership.Mode, 8)}");
        foreach (var directory in (string[])[_files, _sets, _sources])
            Directory.CreateDirectory(directory, Private);
        RemoveLeftovers();
    }

    public string Root { get; }

    /// <summary>Where workers find a set of files: <paramref name="files"/> together.</summary>
    public string SetOf(IEnumerable<StagedFile> files) => Path.Combine(_sets, KeyOf(string.Join('\n', files.Select(static file => $"{file.Name}/{ContentOf(file)}")))[..32]);

    /// <summary>Where the file's content is, or will be.</summary>
    public string PathOf(StagedFile file) => Path.Combine(_files, ContentOf(file));

    /// <summary>Whether the file is there; one with another content than its name says is removed.</summary>
    public bool Has(StagedFile file, StageProgress progress)
    {
        var path = PathOf(file);
        if (!File.Exists(path))
            return false;
        var before = progress.BytesDone;
        _wanted.Add(ContentOf(file));
        if (new FileInfo(path).Length == file.Bytes && DigestOf(path, progress) == file.Digest)
            return true;
        progress.Set(progress.FilesDone, before);
        File.Delete(path);
        return false;
    }

    /// <summary>The content that a file elsewhere was seen to have; null when it was not seen, or not as it is now.</summary>
    public string? Seen(string source)
    {
        var path = Path.Combine(_sources, KeyOf(source));
        return File.Exists(path) ? File.ReadAllText(path) : null;
    }

    public void Note(string source, string digest) => File.WriteAllText(Path.Combine(_sources, KeyOf(source)), digest);

    /// <summary>The right to bring what has this key; null while another process has it.</summary>
    public IDisposable? TryLock(string key) => Lock(Path.Combine(_files, $"{KeyOf(key)}.lock"), FileShare.None);

    /// <summary>Begins to bring what has this key, whose lock the caller has.</summary>
    public StageWriter Begin(string key, long bytes)
    {
        MakeRoom(bytes);
        return new StageWriter(this, Path.Combine(_files, $"{KeyOf(key)}.part"));
    }

    /// <summary>A file that was written gets its name.</summary>
    public void Take(StageWriter writer, StagedFile file)
    {
        _wanted.Add(ContentOf(file));
        File.Move(writer.Path, PathOf(file), overwrite: true);
    }

    /// <summary>Makes the directory that workers see, which stays as long as this process lives.</summary>
    public string Link(IReadOnlyList<StagedFile> files)
    {
        var directory = SetOf(files);
        _set = (FileStream?)Lock($"{directory}.lock", FileShare.Read) ?? throw new StageException($"{directory} is being removed");
        Directory.CreateDirectory(directory, Private);
        foreach (var file in files)
        {
            // Put in the place of an older one at once: workers of other managers may be reading there. A rename to the same file leaves both names.
            var path = Path.Combine(directory, file.Name);
            var link = $"{directory}.{Environment.ProcessId}.link";
            if (Libc.Link(PathOf(file), link) != 0)
                throw new StageException($"linking {PathOf(file)} into {directory} failed: {Libc.LastError()}");
            File.Move(link, path, overwrite: true);
            File.Delete(link);
        }

        return directory;
    }

    private static string ContentOf(StagedFile file) => file.IsProgram ? file.Digest + ".x" : file.Digest;

    private static string KeyOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string DigestOf(string path, StageProgress progress)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
        var piece = new byte[HashBytes];
        var at = 0L;
        while (RandomAccess.Read(file, piece, at) is > 0 and var bytes)
        {
            hash.AppendData(piece, 0, bytes);
            progress.Add(bytes);
            at += bytes;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // A lock that is held is an IOException: flock(2), exclusive unless the file is opened to be read by several.
    private static IDisposable? Lock(string path, FileShare share)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, share == FileShare.None ? FileAccess.ReadWrite : FileAccess.Read, share);
        }
        catch (IOException held) when (held is not (FileNotFoundException or DirectoryNotFoundException) && File.Exists(path))
        {
            return null;
        }
    }

    // What processes left that were killed while they brought something.
    private void RemoveLeftovers()
    {
        foreach (var part in Directory.EnumerateFiles(_files, "*.part"))
        {
            using var free = Lock(Path.ChangeExtension(part, ".lock"), FileShare.None);
            if (free is not null)
                File.Delete(part);
        }
    }

    // Sets that no process uses, then files that are in no set, those longest unused first.
    private void MakeRoom(long bytes)
    {
        if (_limit == 0 || Used() + bytes <= _limit)
            return;
        foreach (var set in Directory.EnumerateDirectories(_sets))
        {
            using var unused = Lock($"{set}.lock", FileShare.None);
            if (unused is not null)
                Directory.Delete(set, recursive: true);
        }

        var free = Contents().Where(static file => FileOwnership.Of(file.FullName).Links == 1).OrderBy(static file => file.LastAccessTimeUtc).ToList();
        foreach (var file in free)
        {
            if (Used() + bytes <= _limit)
                return;
            if (!_wanted.Contains(file.Name))
                file.Delete();
        }

        if (Used() + bytes > _limit)
            throw new StageException($"the cache {Root} has {Used()} bytes of files that are in use and may have {_limit} (containers.cache.size); {bytes} more are needed");
    }

    private long Used() => Contents().Sum(static file => file.Length);

    private IEnumerable<FileInfo> Contents() => new DirectoryInfo(_files).EnumerateFiles().Where(static file => file.Extension is "" or ".x");
}
