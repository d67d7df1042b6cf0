using FuncX.Service.Hosting;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Registry;

/// <summary>registry.db: users, tokens, functions and endpoints. Several processes may have it open (the service and its token command).</summary>
public sealed class RegistryDatabase
{
    private const string Migrations = "FuncX.Service.Registry.Migrations";

    private readonly string _connectionString;

    private RegistryDatabase(string path, string connectionString)
    {
        Path = path;
        _connectionString = connectionString;
    }

    public string Path { get; }

    /// <summary>Opens registry.db in an existing directory, creating or migrating it.</summary>
    /// <exception cref="ServiceRefusedException">Its schema is newer than this build, or it cannot be opened.</exception>
    public static RegistryDatabase Open(string dataDirectory)
    {
        var path = System.IO.Path.Combine(System.IO.Path.GetFullPath(dataDirectory), "registry.db");
        var connectionString = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = SqliteOpenMode.ReadWriteCreate,
            ForeignKeys = true,
            DefaultTimeout = 30,
        }.ConnectionString;
        var database = new RegistryDatabase(path, connectionString);
        try
        {
            // First: what it refuses is left as it is, its journal mode too.
            SchemaMigrator.Migrate(connectionString, path, Migrations);
            using var connection = database.Connect();
            using var command = connection.Command("PRAGMA journal_mode = WAL");
            command.ExecuteNonQuery();
        }
        catch (SqliteException problem)
        {
            throw new ServiceRefusedException($"{path} cannot be opened: {problem.Message}", problem);
        }

        return database;
    }

    /// <summary>A connection from the pool, to be disposed after use. Commits on it are durable: WAL and <c>synchronous = FULL</c>.</summary>
    public SqliteConnection Connect()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        using var command = connection.Command("PRAGMA synchronous = FULL");
        command.ExecuteNonQuery();
        return connection;
    }

    /// <summary>What SQLite says it does, read back from a connection.</summary>
    public (string JournalMode, string Synchronous) ReadDurability()
    {
        using var connection = Connect();
        using var command = connection.Command("PRAGMA journal_mode");
        var journal = (string)command.ExecuteScalar()!;
        command.CommandText = "PRAGMA synchronous";
        var synchronous = (long)command.ExecuteScalar()! switch { 0 => "OFF", 1 => "NORMAL", 2 => "FULL", 3 => "EXTRA", var other => $"{other}" };
        return (journal.ToUpperInvariant(), synchronous);
    }
}
