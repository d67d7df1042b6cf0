namespace FuncX.Tests.Integration.Harness;

/// <summary>A tmpfs of its own that can be filled to the last byte.</summary>
public sealed class SmallDisk : IAsyncDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    private string Ballast => System.IO.Path.Combine(Path, "ballast");

    /// <summary>Mounts one; skips the test where that is not allowed.</summary>
    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var path = LocalCluster.NewDirectory("disk");
        var (exitCode, output) = await Daemon.RunAsync(["mount", "-t", "tmpfs", "-o", $"size={megabytes}m,mode=700", "tmpfs", path], $"{path}.log", Eventually.Patience);
        File.Delete($"{path}.log");
        if (exitCode != 0)
        {
            Directory.Delete(path);
            Assert.Skip($"a small tmpfs cannot be mounted here: {output.Trim()}");
        }

        return new SmallDisk(path);
    }

    /// <summary>Takes all space that is left but <paramref name="leaveBytes"/>.</summary>
    public void Fill(long leaveBytes = 0)
    {
        using var file = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[64 * 1024];
        try
        {
            while (new DriveInfo(Path).AvailableFreeSpace > leaveBytes)
                file.Write(block);
        }
        catch (IOException)
        {
            // No space left on device: that is what was wanted.
        }
    }

    /// <summary>Gives the space back.</summary>
    public void Clear() => File.Delete(Ballast);

    public async ValueTask DisposeAsync()
    {
        await Daemon.RunAsync(["umount", "--lazy", Path], $"{Path}.log", Eventually.Patience);
        File.Delete($"{Path}.log");
        Directory.Delete(Path);
    }
}
