using FuncX.Configuration;

namespace FuncX.Tests.Unit;

/// <summary>A directory (0700) of one test, and where the repository is.</summary>
public sealed class ConfigurationScratch : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("funcx-c-").FullName;

    public string Write(string name, string text, UnixFileMode mode = FileModes.PrivateFile)
    {
        var path = System.IO.Path.Combine(Path, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, mode);
        return path;
    }

    /// <summary>A program that a provider takes for the manager: it says its arguments and FUNCX_ variables, then does what it is told.</summary>
    /// <remarks>A new file each time: one that a process is about to execute cannot be written.</remarks>
    public string WriteManager(string body) =>
        Write($"manager-{Guid.NewGuid():N}", $"#!/bin/sh\necho \"arguments: $@\"\nenv | grep FUNCX_\n{body}\n", FileModes.PrivateDirectory);

    public static string Repository(string folder)
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(System.IO.Path.Combine(root.FullName, "FuncX.sln")))
            root = root.Parent ?? throw new DirectoryNotFoundException("FuncX.sln is in no directory above the tests");
        return System.IO.Path.Combine(root.FullName, folder);
    }

    public void Dispose()
    {
        // A process that was just ended may still be having its exit written down in here.
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                Directory.Delete(Path, recursive: true);
                return;
            }
            catch (IOException) when (attempt < 100)
            {
                Thread.Sleep(20);
            }
        }
    }
}
