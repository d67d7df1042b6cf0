using System.Globalization;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Commands;

/// <summary>
/// The working directory of one task, below the worker's own: <c>tasks/PID/TASK</c>. Gone with the task; what a killed worker leaves, the next one removes.
/// </summary>
internal sealed class TaskDirectory : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const string Root = "tasks";

    private TaskDirectory(string path, string? kept)
    {
        Path = path;
        Kept = kept;
    }

    public string Path { get; }

    /// <summary>Where its whole output stays; null: nowhere.</summary>
    public string? Kept { get; }

    public static void RemoveDead()
    {
        if (!Directory.Exists(Root))
            return;
        foreach (var directory in Directory.GetDirectories(Root))
        {
            if (int.TryParse(System.IO.Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && !Directory.Exists($"/proc/{pid}"))
                Remove(directory);
        }
    }

    public static TaskDirectory Create(string name, string? keptRoot)
    {
        var path = System.IO.Path.GetFullPath(System.IO.Path.Combine(Root, Libc.GetPid().ToString(CultureInfo.InvariantCulture), name));
        if (Directory.Exists(path))
            Remove(path);
        Directory.CreateDirectory(path, Private);
        string? kept = null;
        if (keptRoot is not null)
        {
            kept = System.IO.Path.GetFullPath(System.IO.Path.Combine(keptRoot, name));
            Directory.CreateDirectory(kept, Private);
        }

        return new TaskDirectory(path, kept);
    }

    public void Write(string relative, string text)
    {
        var path = System.IO.Path.Combine(Path, relative);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!, Private);
        File.WriteAllText(path, text);
    }

    public void Dispose() => Remove(Path);

    // A command may have taken the right to remove a directory's files away; they are its user's all the same.
    private static void Remove(string path)
    {
        for (var attempt = 0; attempt < 2; attempt++)
        {
            try
            {
                Directory.Delete(path, recursive: true);
                return;
            }
            catch (DirectoryNotFoundException)
            {
                return;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                if (attempt > 0)
                    Console.Error.WriteLine($"the directory {path} of a task could not be removed: {problem.Message}");
                else
                    Unlock(path);
            }
        }
    }

    private static void Unlock(string path)
    {
        try
        {
            File.SetUnixFileMode(path, Private);
            foreach (var directory in Directory.EnumerateDirectories(path))
            {
                if (new DirectoryInfo(directory).LinkTarget is null)
                    Unlock(directory);
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The second attempt says what is in the way.
        }
    }
}
