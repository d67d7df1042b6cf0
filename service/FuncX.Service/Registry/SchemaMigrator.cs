using System.Reflection;
using DbUp;
using DbUp.Engine.Output;
using FuncX.Service.Hosting;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Registry;

/// <summary>
/// Brings a database to the newest schema of this build by the embedded scripts <c>NNNN_name.sql</c> of one folder, each in its own
/// transaction. The number of the last script is the schema's version.
/// </summary>
public static class SchemaMigrator
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    /// <param name="connectionString">Of the database.</param>
    /// <param name="path">The database file, for messages and for the lock beside it.</param>
    /// <param name="folder">Namespace of the scripts, for example <c>FuncX.Service.Registry.Migrations</c>.</param>
    /// <exception cref="ServiceRefusedException">The database is newer than this build, or a script failed.</exception>
    public static void Migrate(string connectionString, string path, string folder)
    {
        // The token command and the service may both find an old schema: whoever comes second waits and finds it new.
        using var turn = WaitForTurn($"{path}.migrate");
        var prefix = folder + ".";
        var assembly = Assembly.GetExecutingAssembly();
        var upgrader = DeployChanges.To
            .SqliteDatabase(connectionString)
            .WithScriptsEmbeddedInAssembly(assembly, name => name.StartsWith(prefix, StringComparison.Ordinal) && name.EndsWith(".sql", StringComparison.Ordinal))
            .WithTransactionPerScript()
            .LogTo(new NoUpgradeLog())
            .Build();
        List<string> executed;
        try
        {
            executed = upgrader.GetExecutedScripts();
        }
        catch (SqliteException problem)
        {
            throw new ServiceRefusedException($"{path} cannot be read as a database: {problem.Message}. Restore it from a backup, or move it away to begin anew.", problem);
        }

        var known = Newest(upgrader.GetDiscoveredScripts().ConvertAll(script => script.Name), prefix);
        var found = Newest(executed, prefix);
        if (found > known)
        {
            throw new ServiceRefusedException(
                $"{path} has schema version {found}; this funcx-service knows versions up to {known}. Use the release that wrote it, or a newer one.");
        }

        if (found == known)
            return;
        if (executed.Count == 0 && HasTables(connectionString))
            throw new ServiceRefusedException($"{path} has tables but no record of schema versions: it was not written by funcx-service. Restore it from a backup, or move it away to begin anew.");
        var result = upgrader.PerformUpgrade();
        if (!result.Successful)
        {
            throw new ServiceRefusedException(
                $"{path} could not be brought from schema version {found} to {known}: script {result.ErrorScript?.Name} failed: {result.Error.Message}", result.Error);
        }
    }

    private static bool HasTables(string connectionString)
    {
        using var connection = new SqliteConnection(connectionString);
        connection.Open();
        using var command = connection.Command("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'SchemaVersions'");
        return (long)command.ExecuteScalar()! > 0;
    }

    private static int Newest(List<string> scripts, string prefix)
    {
        var newest = 0;
        foreach (var script in scripts)
        {
            if (script.StartsWith(prefix, StringComparison.Ordinal) && script.Length >= prefix.Length + 4
                && int.TryParse(script.AsSpan(prefix.Length, 4), out var number))
                newest = Math.Max(newest, number);
        }

        return newest;
    }

    private static FileStream WaitForTurn(string path)
    {
        var deadline = DateTime.UtcNow + _patience;
        while (true)
        {
            try
            {
                return new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate,
                    Access = FileAccess.Write,
                    Share = FileShare.None,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                });
            }
            catch (IOException problem) when (File.Exists(path))
            {
                if (DateTime.UtcNow > deadline)
                    throw new ServiceRefusedException($"another process has been opening the same database for {_patience.TotalSeconds:0} s ({path} is locked).", problem);
                Thread.Sleep(20);
            }
        }
    }

    private sealed class NoUpgradeLog : IUpgradeLog
    {
        public void LogTrace(string format, params object[] args) { }

        public void LogDebug(string format, params object[] args) { }

        public void LogInformation(string format, params object[] args) { }

        public void LogWarning(string format, params object[] args) { }

        public void LogError(string format, params object[] args) { }

        public void LogError(Exception ex, string format, params object[] args) { }
    }
}
