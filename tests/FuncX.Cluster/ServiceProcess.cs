using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using FuncX.Contracts;

namespace FuncX.Cluster;

/// <summary>A <c>funcx-service</c> on loopback with a data directory of its own; started again it takes the same port.</summary>
public sealed class ServiceProcess(string dataDirectory, string logPath) : IAsyncDisposable
{
    private Daemon? _daemon;
    private int _port;

    public string DataDirectory { get; } = dataDirectory;

    public string Address { get; private set; } = "";

    /// <summary>The address of its page of metrics; empty when it has none.</summary>
    public string Metrics { get; private set; } = "";

    /// <summary>What its file says; without one it has no file. Read at each start.</summary>
    public string Yaml { get; set; } = "";

    /// <summary>The service itself, also when it was started through a wrapper.</summary>
    public ProcessIdentity Identity { get; private set; }

    public bool IsAlive => _daemon is { HasExited: false } && Identity.IsAlive;

    public string Tail => _daemon?.Tail ?? "";

    /// <summary>Exit status of the last run, once it ended.</summary>
    public int ExitCode => _daemon!.ExitCode;

    /// <summary>The first administrator's token, as the first start wrote it.</summary>
    public string AdminTokenFile => Path.Combine(DataDirectory, "admin.token");

    private string StateFile => Path.Combine(DataDirectory, "service.json");

    /// <summary>Starts it and waits until it serves.</summary>
    /// <param name="environment">Variables for it.</param>
    /// <param name="wrapper">A command to put in front, such as strace.</param>
    public async Task StartAsync(IReadOnlyDictionary<string, string?>? environment = null, params string[] wrapper)
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
        if (File.Exists(StateFile))
            File.Delete(StateFile);
        if (_port == 0)
            _port = FreePort();
        List<string> command = [.. wrapper, Programs.Service, "start", "--data-dir", DataDirectory, "--listen", $"127.0.0.1:{_port}"];
        if (Yaml.Length > 0)
        {
            await File.WriteAllTextAsync(logPath + ".yaml", Yaml);
            command.AddRange(["--config", logPath + ".yaml"]);
        }

        _daemon = Daemon.Start(command, logPath, environment);
        await Eventually.TrueAsync(
            () => _daemon.HasExited || TryReadState(),
            $"funcx-service on {DataDirectory} is ready",
            seen: () => _daemon.Tail);
        if (_daemon.HasExited && !TryReadState())
            throw new InvalidOperationException($"funcx-service ended with {_daemon.ExitCode} before it was ready:\n{_daemon.Tail}");
        _port = new Uri(Address).Port;
    }

    // Of those that the system gives nobody by itself: while the service is away, whoever connects somewhere might else get its port.
    private static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(12_000, 32_000);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }

    /// <summary>Makes a token for a user; runs the service's own command.</summary>
    public async Task<string> CreateTokenAsync(string user)
    {
        var (exitCode, output) = await Daemon.RunAsync(
            [Programs.Service, "token", "create", "--data-dir", DataDirectory, "--user", user], $"{logPath}.tokens", Eventually.Patience);
        var at = output.IndexOf("fxt_", StringComparison.Ordinal);
        if (exitCode != 0 || at < 0)
            throw new InvalidOperationException($"funcx-service token create --user {user} ended with {exitCode} and printed no token:\n{output}");
        var end = at;
        while (end < output.Length && (char.IsAsciiLetterOrDigit(output[end]) || output[end] is '_' or '-'))
            end++;
        return output[at..end];
    }

    /// <summary>SIGKILL; returns once it is gone.</summary>
    public async Task KillAsync()
    {
        Identity.Kill();
        await WaitForExitAsync();
    }

    public async Task WaitForExitAsync() => await _daemon!.WaitAsync(Eventually.Patience);

    /// <summary>SIGTERM.</summary>
    /// <returns>Its exit status.</returns>
    public async Task<int> StopAsync()
    {
        Identity.Terminate();
        await WaitForExitAsync();
        return _daemon!.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (_daemon is null)
            return;
        if (Identity.Pid != 0)
            Identity.Kill();
        await _daemon.DisposeAsync();
    }

    private bool TryReadState()
    {
        var text = ProcessTable.ReadBytes(StateFile);
        if (text.Length == 0)
            return false;
        using var state = JsonDocument.Parse(text);
        var pid = state.RootElement.GetProperty("pid").GetInt32();
        if (ProcessTable.Find(pid) is not { } entry)
            return false;
        Identity = entry.Identity;
        Address = state.RootElement.GetProperty("address").GetString()!;
        Metrics = state.RootElement.GetProperty("metrics").GetString() ?? "";
        return true;
    }
}
