using DbUp;
using DbUp.Engine;
using DbUp.Engine.Output;
using FuncX.Configuration;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace FuncX.Service.Storage;

/// <summary>
/// tasks.db: SQLite in WAL mode with synchronous=FULL, one row per group commit. One thread writes at a time; any thread reads.
/// The write-ahead log is grown once at start and never truncated (a log that grows makes a commit three times slower), and checkpoints
/// are made by hand: most of the copying beside the writer, the rest between two commits, after which the log begins at its front again.
/// </summary>
public sealed class TaskDatabase : IDisposable
{
    /// <summary>The schema this build writes.</summary>
    public const int SchemaVersion = 3;

    private const int CheckpointAfter = 24 << 20;

    private readonly string _path;
    private readonly SqliteConnection _writer;
    private readonly SqliteConnection _checkpointer;
    private readonly System.Collections.Concurrent.ConcurrentBag<ChunkReader> _readers = [];
    private readonly sqlite3_stmt _insert;
    private readonly object _checkpointing = new();
    private long _bytesInLog;
    private volatile bool _copied;
    private int _copying;

    private TaskDatabase(string path)
    {
        _path = path;
        _writer = Connect(path);
        JournalMode = Text("PRAGMA journal_mode=WAL");
        Execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=-1; PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY");
        Synchronous = Text("PRAGMA synchronous");
        JournalMode = Text("PRAGMA journal_mode");
        _checkpointer = Connect(path);
        Run(_checkpointer, "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=-1; PRAGMA synchronous=FULL");
        _insert = Prepare("INSERT INTO chunk(id, data) VALUES(?1, ?2)");
    }

    /// <summary>As SQLite says when asked.</summary>
    public string JournalMode { get; }

    /// <summary>As SQLite says when asked; 2 is FULL.</summary>
    public string Synchronous { get; }

    /// <summary>Bytes that tables and indexes take, free pages left out.</summary>
    public long UsedBytes => (Number("PRAGMA page_count") - Number("PRAGMA freelist_count")) * Number("PRAGMA page_size");

    /// <summary>The writer's connection, for the rare statements beside chunks. Only for the thread that commits.</summary>
    internal SqliteConnection Writer => _writer;

    /// <summary>Opens or creates the file, and brings an older schema up to this build's.</summary>
    /// <exception cref="InvalidDataException">It was written by a newer release, or is not a task database.</exception>
    public static TaskDatabase Open(string path, int logBytes)
    {
        var existed = File.Exists(path);
        using (var connection = Connect(path))
        {
            using var ask = connection.Command("PRAGMA user_version");
            long version;
            try
            {
                version = (long)ask.ExecuteScalar()!;
            }
            catch (SqliteException problem)
            {
                throw new InvalidDataException($"{path} is not a task database: {problem.Message}", problem);
            }

            if (version > SchemaVersion)
                throw new InvalidDataException($"{path} has schema {version}; this release knows schemas up to {SchemaVersion}. Start the release that wrote it, or a newer one.");
            if (existed && version == 0)
            {
                // With the journal of scripts beside them the tables are ours: an early release set the number after the tables, and could be killed between.
                ask.CommandText = """
                    SELECT (SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'sqlite_%') > 0
                    AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'SchemaVersions')
                    """;
                if ((long)ask.ExecuteScalar()! > 0)
                    throw new InvalidDataException($"{path} has tables but no schema number: it was not written by funcx-service.");
            }

            if (version < SchemaVersion)
            {
                if (!existed)
                {
                    ask.CommandText = "PRAGMA page_size=4096; PRAGMA journal_mode=WAL";
                    ask.ExecuteNonQuery();
                }

                Migrate(path);
            }
        }

        if (!existed)
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        // At every start: the one that made the file may have ended right here.
        DiskSync.FlushDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        GrowLog(path, logBytes);
        return new TaskDatabase(path);
    }

    /// <summary>Appends one chunk and returns when it is durable.</summary>
    /// <exception cref="StorageFullException">It is not, and nothing of it is in the file.</exception>
    public void Append(long id, ReadOnlySpan<byte> chunk, Action<SqliteConnection>? beside = null)
    {
        if (beside is null)
        {
            Insert(id, chunk);
        }
        else
        {
            Command("BEGIN IMMEDIATE");
            try
            {
                beside(_writer);
                Insert(id, chunk);
                Command("COMMIT");
            }
            catch (Exception problem)
            {
                if (raw.sqlite3_get_autocommit(_writer.Handle) == 0)
                    raw.sqlite3_exec(_writer.Handle, "ROLLBACK");
                if (problem is SqliteException full)
                    throw Failure(full.SqliteErrorCode, full.Message);
                throw;
            }
        }

        _bytesInLog += chunk.Length + 4200 + (chunk.Length >> 7);
    }

    /// <summary>Keeps the log from growing; called between two commits by the thread that commits.</summary>
    public void Maintain(bool quiet)
    {
        if (_copied)
        {
            _copied = false;
            Checkpoint(_writer, out var inLog, out var copied);
            if (inLog == copied)
                _bytesInLog = 0;
        }
        else if (_bytesInLog > (quiet ? 1 << 20 : CheckpointAfter) && Interlocked.CompareExchange(ref _copying, 1, 0) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static self => self.CopyLog(), this, preferLocal: false);
        }
    }

    /// <summary>The bytes of a chunk, checked; null when there is none.</summary>
    public byte[]? Read(long id)
    {
        if (!_readers.TryTake(out var reader))
            reader = new ChunkReader(Connect(_path));
        try
        {
            return reader.Read(id);
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    /// <summary>The header of a chunk that exists, whatever its length: its first page is all that is read. Only for the thread that commits.</summary>
    internal ChunkHeader ReadHead(long id)
    {
        using var blob = new SqliteBlob(_writer, "chunk", "data", id, readOnly: true);
        Span<byte> head = stackalloc byte[ChunkHeader.Size];
        blob.ReadExactly(head);
        return ChunkHeader.Peek(head);
    }

    /// <summary>Unix microseconds at which a chunk was made, by any thread; 0: it is gone. Its first page is all that is read.</summary>
    internal static long TimeOf(SqliteConnection reader, long id)
    {
        try
        {
            using var blob = new SqliteBlob(reader, "chunk", "data", id, readOnly: true);
            Span<byte> head = stackalloc byte[ChunkHeader.Size];
            blob.ReadExactly(head);
            return ChunkHeader.Peek(head).Time;
        }
        catch (SqliteException problem) when (problem.SqliteErrorCode == raw.SQLITE_ERROR)
        {
            // "no such rowid": it has expired.
            return 0;
        }
    }

    /// <summary>A connection for reading, from a pool to which disposing it gives it back: searches are on the way of every submission that comes again.</summary>
    internal SqliteConnection OpenReader() => Connect(_path, pooling: true);

    public void Dispose()
    {
        lock (_checkpointing)
        {
            raw.sqlite3_finalize(_insert);
            while (_readers.TryTake(out var reader))
                reader.Dispose();
            using (var pooled = OpenReader())
                SqliteConnection.ClearPool(pooled);
            _checkpointer.Dispose();
            _writer.Dispose();
        }
    }

    internal static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.Command(sql);
        command.ExecuteNonQuery();
    }

    internal static StorageFullException Failure(int code, string message) =>
        new(code == raw.SQLITE_FULL ? $"tasks.db cannot grow, the disk is full ({message})" : $"tasks.db could not be written (SQLite error {code}: {message})");

    private static SqliteConnection Connect(string path, bool pooling = false)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = pooling, DefaultTimeout = 30 }.ToString());
        connection.Open();
        return connection;
    }

    private static void Migrate(string path)
    {
        var connectionString = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString();
        var result = DeployChanges.To.SqliteDatabase(connectionString)
            .WithScripts(TaskSchema.Scripts)
            .WithTransaction()
            .LogTo(new NoOpUpgradeLog())
            .Build()
            .PerformUpgrade();
        if (!result.Successful)
            throw new InvalidDataException($"{path} could not be brought to schema {SchemaVersion}: script {result.ErrorScript?.Name} failed: {result.Error.Message}", result.Error);
    }

    private void Insert(long id, ReadOnlySpan<byte> chunk)
    {
        raw.sqlite3_bind_int64(_insert, 1, id);
        raw.sqlite3_bind_blob(_insert, 2, chunk);
        var result = raw.sqlite3_step(_insert);
        var message = result == raw.SQLITE_DONE ? null : raw.sqlite3_errmsg(_writer.Handle).utf8_to_string();
        raw.sqlite3_reset(_insert);
        raw.sqlite3_clear_bindings(_insert);
        if (message is not null)
            throw Failure(result, message);
    }

    private void Command(string sql)
    {
        var result = raw.sqlite3_exec(_writer.Handle, sql);
        if (result != raw.SQLITE_OK)
            throw Failure(result, raw.sqlite3_errmsg(_writer.Handle).utf8_to_string());
    }

    private sqlite3_stmt Prepare(string sql) => raw.sqlite3_prepare_v2(_writer.Handle, sql, out var statement) == raw.SQLITE_OK
        ? statement
        : throw new InvalidDataException($"{_path}: {raw.sqlite3_errmsg(_writer.Handle).utf8_to_string()} in: {sql}");

    private void Execute(string sql) => Run(_writer, sql);

    private string Text(string sql)
    {
        using var command = _writer.Command(sql);
        return Convert.ToString(command.ExecuteScalar(), System.Globalization.CultureInfo.InvariantCulture)!;
    }

    private long Number(string sql)
    {
        using var connection = OpenReader();
        using var command = connection.Command(sql);
        return (long)command.ExecuteScalar()!;
    }

    private void CopyLog()
    {
        lock (_checkpointing)
        {
            try
            {
                if (_checkpointer.State == System.Data.ConnectionState.Open)
                {
                    Checkpoint(_checkpointer, out _, out _);
                    _copied = true;
                }
            }
            finally
            {
                Volatile.Write(ref _copying, 0);
            }
        }
    }

    // A checkpoint that fails (no room in tasks.db) leaves the log as it is; the next commit tells whether that matters.
    private static void Checkpoint(SqliteConnection connection, out int inLog, out int copied)
    {
        if (raw.sqlite3_wal_checkpoint_v2(connection.Handle, "main", raw.SQLITE_CHECKPOINT_PASSIVE, out inLog, out copied) != raw.SQLITE_OK)
            (inLog, copied) = (0, -1);
    }

    /// <summary>
    /// Gives the log its full size before SQLite opens it: what stands behind the last valid frame is never read. Blocks have to be written, not only
    /// reserved, or each commit would still change the file's extents. On a small disk only a share of what is free.
    /// </summary>
    private static void GrowLog(string path, int logBytes)
    {
        var free = new DriveInfo(Path.GetDirectoryName(Path.GetFullPath(path))!).AvailableFreeSpace;
        var wanted = Math.Min(logBytes, free / 8);
        using var log = new FileStream(path + "-wal", new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        var zeros = new byte[1 << 20];
        try
        {
            for (log.Position = log.Length; log.Position < wanted;)
                log.Write(zeros, 0, (int)Math.Min(zeros.Length, wanted - log.Position));
        }
        catch (IOException)
        {
            // No room for the whole: the log grows with the commits instead, which are slower until it has its size.
        }
    }
}
