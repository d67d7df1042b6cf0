using FuncX.Configuration;

namespace FuncX.Service.Hosting;

/// <summary>
/// The service's data directory, held by one service at a time. The lock is the kernel's (<c>DIR/lock</c>), so it ends with the process however
/// that ends; <c>DIR/service.pid</c> only tells whoever comes second whom to look for.
/// </summary>
public sealed class DataDirectory : IDisposable
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Writers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private readonly FileStream _lock;

    private DataDirectory(string path, FileStream held)
    {
        Path = path;
        _lock = held;
    }

    public string Path { get; }

    private string PidPath => System.IO.Path.Combine(Path, "service.pid");

    private string ReadyPath => System.IO.Path.Combine(Path, "service.json");

    /// <summary>Makes the directory (0700) when it is not there, and refuses one that others may write.</summary>
    /// <exception cref="ServiceRefusedException">It cannot be made or used.</exception>
    public static void Prepare(string path)
    {
        try
        {
            if (!Directory.Exists(path))
                Directory.CreateDirectory(path, Owner);
            var owner = FileModes.OwnerOf(path);
            if (owner != FileModes.CurrentUser)
                throw new ServiceRefusedException($"the data directory {path} belongs to user id {owner}, not to you ({FileModes.CurrentUser}). Use a directory of your own.");
            var mode = File.GetUnixFileMode(path);
            if ((mode & Writers) != UnixFileMode.None)
                throw new ServiceRefusedException($"the data directory {path} may be written by others ({mode}). Run: chmod 700 {path}");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new ServiceRefusedException($"the data directory {path} cannot be used: {problem.Message}", problem);
        }
    }

    /// <summary>Refuses a directory in which no service has kept anything.</summary>
    /// <exception cref="ServiceRefusedException">It is such a one, or is not there.</exception>
    public static void RefuseOther(string path)
    {
        if (!File.Exists(System.IO.Path.Combine(path, "tasks.db")))
            throw new ServiceRefusedException($"{path} is no data directory of a service: there is no tasks.db in it.");
    }

    /// <summary>Prepares the directory and takes it for this process.</summary>
    /// <exception cref="ServiceRefusedException">Another service holds it, or it cannot be used.</exception>
    public static DataDirectory Take(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        Prepare(path);
        FileStream held;
        var lockPath = System.IO.Path.Combine(path, "lock");
        try
        {
            held = new FileStream(lockPath, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (UnauthorizedAccessException problem)
        {
            throw new ServiceRefusedException($"the data directory {path} cannot be used: {problem.Message}", problem);
        }
        catch (IOException problem) when (File.Exists(lockPath))
        {
            throw new ServiceRefusedException($"{Holder(path)} is active on the data directory {path}; one service at a time. Stop it, or use another --data-dir.", problem);
        }
        catch (IOException problem)
        {
            throw new ServiceRefusedException($"the data directory {path} cannot be used: {problem.Message}", problem);
        }

        var directory = new DataDirectory(path, held);
        File.Delete(directory.ReadyPath);
        PrivateFile.Write(directory.PidPath, $"{Environment.ProcessId}\n");
        return directory;
    }

    /// <summary>Writes <c>service.json</c>: the service is ready and can be called at the address.</summary>
    /// <param name="metrics">The address of the metrics' page; null: there is none.</param>
    public void Announce(string address, string? metrics) => PrivateFile.Write(ReadyPath, System.Text.Json.JsonSerializer.Serialize(new
    {
        address,
        pid = Environment.ProcessId,
        version = Wire.ProtocolVersion.Product,
        metrics,
    }) + "\n");

    /// <summary>Removes <c>service.json</c> and gives the directory up.</summary>
    public void Dispose()
    {
        File.Delete(ReadyPath);
        File.Delete(PidPath);
        _lock.Dispose();
    }

    private static string Holder(string path)
    {
        try
        {
            return $"a funcx-service with pid {File.ReadAllText(System.IO.Path.Combine(path, "service.pid")).Trim()}";
        }
        catch (IOException)
        {
            return "another funcx-service";
        }
    }
}
