using System.Diagnostics;

namespace FuncX.Tests.Integration.Harness;

/// <summary>A <c>funcx</c> that speaks to a cluster's service, its standard output and its standard error apart.</summary>
public sealed class CliProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly Task _pumps;
    private readonly string _command;

    private CliProcess(Process process, string command)
    {
        _process = process;
        _command = command;
        Identity = ProcessTable.Find(process.Id)?.Identity ?? new ProcessIdentity(process.Id, 0);
        _pumps = Task.WhenAll(PumpAsync(process.StandardOutput, _output), PumpAsync(process.StandardError, _errors));
    }

    public ProcessIdentity Identity { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Only after it ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Its standard input.</summary>
    public StreamWriter Input => _process.StandardInput;

    /// <summary>Lines of standard output so far.</summary>
    public IReadOnlyList<string> Output => Copy(_output);

    /// <summary>Lines of standard error so far.</summary>
    public IReadOnlyList<string> Errors => Copy(_errors);

    /// <summary>Starts it with the administrator's token, unless the arguments name another.</summary>
    public static CliProcess Start(LocalCluster cluster, params string[] arguments)
    {
        var process = StartWithInput(cluster, arguments);
        process.Input.Close();
        return process;
    }

    /// <summary>The same with <see cref="Input"/> open.</summary>
    public static CliProcess StartWithInput(LocalCluster cluster, params string[] arguments)
    {
        string[] token = arguments.Contains("--token-file") ? [] : ["--token-file", cluster.TokenFile];
        // Behind -- everything belongs to a command.
        var end = Array.IndexOf(arguments, "--") is var dashes and >= 0 ? dashes : arguments.Length;
        var start = new ProcessStartInfo(SourceTree.Program("sdk/FuncX.Cli", "funcx"), [.. arguments[..end], "--service", cluster.Service.Address, .. token, .. arguments[end..]])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["FUNCX_CONFIG_DIR"] = Path.Combine(cluster.DirectoryPath, "config");
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start");
        return new CliProcess(process, $"funcx {string.Join(' ', arguments)}");
    }

    /// <summary>Runs it to its end and asserts how it ended.</summary>
    /// <returns>The lines of its standard output.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(LocalCluster cluster, int exitCode, params string[] arguments)
    {
        await using var process = Start(cluster, arguments);
        await process.WaitAsync(Eventually.Patience);
        process.ExitCode.ShouldBe(exitCode, process.ToString());
        return process.Output;
    }

    /// <summary>Waits for its end and the end of its output.</summary>
    /// <exception cref="TimeoutException">It does not end.</exception>
    public async Task WaitAsync(TimeSpan within)
    {
        using var limit = new CancellationTokenSource(within);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            await _pumps.WaitAsync(limit.Token);
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"still runs after {within.TotalSeconds:0} s: {this}", late);
        }
    }

    /// <summary>SIGKILL; returns once it is gone.</summary>
    public async Task KillAsync()
    {
        Identity.Kill();
        await WaitAsync(Eventually.Patience);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
    }

    public override string ToString() =>
        $"{_command}\nstandard output ({Output.Count} lines):\n{string.Join('\n', Output.TakeLast(20))}\nstandard error:\n{string.Join('\n', Errors.TakeLast(40))}";

    private static IReadOnlyList<string> Copy(List<string> lines)
    {
        lock (lines)
            return [.. lines];
    }

    private static async Task PumpAsync(StreamReader reader, List<string> lines)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (lines)
                lines.Add(line);
        }
    }
}
