using System.Diagnostics;
using FuncX.Cli.Commands;

namespace FuncX.Cli.Quickstart;

/// <summary>
/// A second process that ends what quickstart started when quickstart itself is killed, which leaves it no time for that. It learns it from the pipe that is its
/// standard input: the kernel closes the other end however quickstart goes. (A death signal of the kernel's is bound to the thread that started a child, and a
/// thread of the pool may end at any time.)
/// </summary>
internal sealed class Guard : IAsyncDisposable
{
    private readonly Process _process;

    private Guard(Process process) => _process = process;

    public static Guard Start(string directory, bool keep)
    {
        var self = Environment.ProcessPath ?? throw new InvalidOperationException("This process does not know its own program.");
        var start = new ProcessStartInfo(self) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        // Started as `dotnet funcx.dll`, the program is the runtime and the first argument ours.
        if (Path.GetFileNameWithoutExtension(self) == "dotnet")
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        start.ArgumentList.Add(QuickstartGuardCommand.Name);
        start.ArgumentList.Add(directory);
        if (keep)
            start.ArgumentList.Add(QuickstartGuardCommand.KeepLogs);
        return new Guard(Process.Start(start)!);
    }

    /// <summary>What the process does: waits for quickstart's end, then kills what runs out of the directory, and removes it.</summary>
    public static async Task WatchAsync(string directory, bool keep)
    {
        await Console.OpenStandardInput().CopyToAsync(Stream.Null);
        Leftovers.Kill(directory);
        if (!keep && Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }

    /// <summary>Quickstart has stopped everything itself, and the guard finds nothing to do. (Killed, its runtime would leave files in the temporary directory.)</summary>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
