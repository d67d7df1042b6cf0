using System.Diagnostics;
using System.Globalization;

namespace FuncX.Cluster;

/// <summary>Hosts in network namespaces of this machine (<c>tests/lib/net_lab</c>), called n1, n2, ..., each with a cable that can be cut. They are gone with this process, however it ends.</summary>
public sealed class NetLab : IAsyncDisposable
{
    private readonly string _script;
    private readonly Process _lab;

    private NetLab(string script, string directory, Process lab)
    {
        (_script, DirectoryPath, _lab) = (script, directory, lab);
        Device = File.ReadAllText(Path.Combine(directory, "cable")).Trim();
    }

    public string DirectoryPath { get; }

    /// <summary>This machine's own cable to them.</summary>
    public string Device { get; }

    /// <summary>Makes so many.</summary>
    /// <returns>Null and why, where there can be none.</returns>
    public static async Task<(NetLab? Lab, string Missing)> StartAsync(string repository, int nodes)
    {
        if (!Environment.IsPrivilegedProcess)
            return (null, "network namespaces are made as root");
        if (!File.Exists("/usr/sbin/ip") && !File.Exists("/sbin/ip"))
            return (null, "ip is not there; tests/run installs iproute2");
        var directory = LocalCluster.NewDirectory("net");
        var script = Path.Combine(repository, "tests/lib/net_lab");
        var start = new ProcessStartInfo(script, ["serve", directory, nodes.ToString(CultureInfo.InvariantCulture)]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var said = await process.StandardOutput.ReadLineAsync(patience.Token) ?? "it said nothing";
        if (said == "ready")
            return (new NetLab(script, directory, process), "");
        await process.WaitForExitAsync(patience.Token);
        var code = process.ExitCode;
        process.Dispose();
        Directory.Delete(directory, recursive: true);
        return code == 3 ? (null, said) : throw new InvalidOperationException($"net_lab serve ended with {code}: {said}");
    }

    /// <summary>The command that runs one on a node.</summary>
    public IReadOnlyList<string> In(string node) => [_script, "in", DirectoryPath, node];

    public Task CutAsync(string node) => TellAsync("cut", node);

    public Task JoinAsync(string node) => TellAsync("join", node);

    public async ValueTask DisposeAsync()
    {
        _lab.StandardInput.Close();
        using (var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30)))
            await _lab.WaitForExitAsync(patience.Token);
        _lab.Dispose();
        Directory.Delete(DirectoryPath, recursive: true);
    }

    private async Task TellAsync(string command, string node)
    {
        var (code, output) = await Daemon.RunAsync([_script, command, DirectoryPath, node], Path.Combine(DirectoryPath, "lab.log"), TimeSpan.FromSeconds(30));
        if (code != 0)
            throw new InvalidOperationException($"net_lab {command} {node} ended with {code}: {output}");
    }
}
