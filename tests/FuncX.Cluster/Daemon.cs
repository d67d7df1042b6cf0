using System.Diagnostics;
using System.Text;

namespace FuncX.Cluster;

/// <summary>A program started from an argument list, its output kept in a file and, the last of it, in memory.</summary>
public sealed class Daemon : IAsyncDisposable
{
    private const int TailCharacters = 16 * 1024;
    private readonly Process _process;
    private readonly StringBuilder _tail = new();
    private readonly StreamWriter _log;
    private readonly Task _pumps;

    private Daemon(Process process, string logPath)
    {
        _process = process;
        LogPath = logPath;
        _log = new StreamWriter(new FileStream(logPath, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
        _pumps = Task.WhenAll(PumpAsync(process.StandardOutput), PumpAsync(process.StandardError));
        var entry = ProcessTable.Find(process.Id);
        Identity = entry?.Identity ?? new ProcessIdentity(process.Id, 0);
    }

    /// <summary>The process that was started (a wrapper such as strace, when there is one).</summary>
    public ProcessIdentity Identity { get; }

    public string LogPath { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Its exit status; minus the signal is 128 + signal as a shell shows it. Only after it ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>The last of what it wrote.</summary>
    public string Tail
    {
        get
        {
            lock (_tail)
                return _tail.ToString();
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="logPath">Where its output is appended.</param>
    /// <param name="environment">Variables on top of this process's; null removes one.</param>
    /// <param name="workingDirectory">Its working directory; this process's when left out.</param>
    public static Daemon Start(
        IReadOnlyList<string> command, string logPath, IReadOnlyDictionary<string, string?>? environment = null, string? workingDirectory = null)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = workingDirectory ?? "",
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            if (value is null)
                start.Environment.Remove(name);
            else
                start.Environment[name] = value;
        }

        var process = Process.Start(start) ?? throw new InvalidOperationException($"{command[0]} did not start");
        process.StandardInput.Close();
        return new Daemon(process, logPath);
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Exit status and all it wrote, standard output and error together.</returns>
    public static async Task<(int ExitCode, string Output)> RunAsync(
        IReadOnlyList<string> command, string logPath, TimeSpan within, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var offset = File.Exists(logPath) ? new FileInfo(logPath).Length : 0;
        await using var daemon = Start(command, logPath, environment);
        await daemon.WaitAsync(within);
        using var log = new FileStream(logPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        log.Seek(offset, SeekOrigin.Begin);
        using var reader = new StreamReader(log);
        return (daemon.ExitCode, await reader.ReadToEndAsync());
    }

    /// <summary>Waits for its end.</summary>
    /// <exception cref="TimeoutException">It still runs after <paramref name="within"/>.</exception>
    public async Task WaitAsync(TimeSpan within)
    {
        using var limit = new CancellationTokenSource(within);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"{_process.StartInfo.FileName} (process {Identity}) still runs after {within.TotalSeconds:0} s; its last lines:\n{Tail}", late);
        }

        // A child of it that holds the pipes open must not hold the test up.
        await Task.WhenAny(_pumps, Task.Delay(TimeSpan.FromSeconds(1)));
    }

    /// <summary>SIGKILL; returns once it is gone.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
            Identity.Kill();
        await WaitAsync(Eventually.Patience);
    }

    /// <summary>SIGTERM; returns its exit status once it is gone.</summary>
    public async Task<int> StopAsync(TimeSpan? within = null)
    {
        if (!_process.HasExited)
            Identity.Terminate();
        await WaitAsync(within ?? TimeSpan.FromSeconds(30));
        return ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
        lock (_tail)
            _log.Dispose();
    }

    private async Task PumpAsync(StreamReader output)
    {
        try
        {
            while (await output.ReadLineAsync() is { } line)
            {
                lock (_tail)
                {
                    _tail.AppendLine(line);
                    if (_tail.Length > 2 * TailCharacters)
                        _tail.Remove(0, _tail.Length - TailCharacters);
                    _log.WriteLine(line);
                }
            }
        }
        catch (Exception closed) when (closed is IOException or ObjectDisposedException)
        {
            // The daemon was disposed while a child of it still held the pipe.
        }
    }
}
