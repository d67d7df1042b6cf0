using System.Globalization;
using FuncX.Configuration;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Hosting;

/// <summary>
/// A copy of a data directory, whether its service runs or not: all that was durable when tasks.db was copied, and of large bodies and accounts what it refers to.
/// </summary>
internal static class Backup
{
    /// <summary>Copies into a directory that is not there yet or is empty.</summary>
    /// <exception cref="ServiceRefusedException">There is no data directory, or something is in the way.</exception>
    public static void Make(string dataDirectory, string target)
    {
        DataDirectory.RefuseOther(dataDirectory);
        if (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()))
            throw new ServiceRefusedException($"{target} is not empty; a backup wants a directory of its own.");
        DataDirectory.Prepare(target);
        var (segments, snapshots) = (Path.Combine(target, "segments"), Path.Combine(target, "snapshots"));

        // Before the database what it may no longer find afterwards, and after it what came until then. A segment file only grows; a snapshot is whole or not there.
        CopyNew(Path.Combine(dataDirectory, "snapshots"), snapshots, "*.snapshot");
        CopyNew(Path.Combine(dataDirectory, "segments"), segments, "*.seg");
        var last = CopyDatabase(Path.Combine(dataDirectory, "tasks.db"), Path.Combine(target, "tasks.db"), "SELECT ifnull(max(id), 0) FROM chunk");
        CopyNew(Path.Combine(dataDirectory, "segments"), segments, "*.seg");
        CopyNew(Path.Combine(dataDirectory, "snapshots"), snapshots, "*.snapshot");
        foreach (var later in Directory.EnumerateFiles(snapshots).Where(path => long.Parse(Path.GetFileNameWithoutExtension(path), NumberStyles.HexNumber, CultureInfo.InvariantCulture) > last))
            File.Delete(later);

        // A function or an endpoint is there before a task that names it.
        CopyDatabase(Path.Combine(dataDirectory, "registry.db"), Path.Combine(target, "registry.db"), "SELECT 0");
        if (File.Exists(Path.Combine(dataDirectory, "admin.token")))
            File.Copy(Path.Combine(dataDirectory, "admin.token"), Path.Combine(target, "admin.token"));
        foreach (var directory in (string[])[segments, snapshots, target])
        {
            foreach (var file in Directory.EnumerateFiles(directory))
            {
                using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
                DiskSync.Flush(handle, file);
            }

            DiskSync.FlushDirectory(directory);
        }
    }

    private static void CopyNew(string from, string to, string pattern)
    {
        Directory.CreateDirectory(to, FileModes.PrivateDirectory);
        foreach (var file in new DirectoryInfo(from).EnumerateFiles(pattern))
        {
            var copy = new FileInfo(Path.Combine(to, file.Name));
            try
            {
                if (!copy.Exists || copy.Length != file.Length)
                    file.CopyTo(copy.FullName, overwrite: true);
            }
            catch (FileNotFoundException)
            {
                // It has expired meanwhile, or a newer snapshot has taken its place.
            }
        }
    }

    // One read transaction: nobody waits for it but the shortening of the log.
    private static long CopyDatabase(string from, string to, string question)
    {
        using var source = Open(from, SqliteOpenMode.ReadWrite);
        using var target = Open(to, SqliteOpenMode.ReadWriteCreate);
        File.SetUnixFileMode(to, FileModes.PrivateFile);
        source.BackupDatabase(target);
        using var command = target.Command(question);
        return (long)command.ExecuteScalar()!;
    }

    private static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false, DefaultTimeout = 30 }.ConnectionString);
        connection.Open();
        return connection;
    }
}
