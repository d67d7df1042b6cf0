using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Net;
using System.Text.RegularExpressions;

namespace FuncX.Cluster;

/// <summary>A private Slurm on loopback (<c>tests/lib/slurm_lab</c>): real daemons, some nodes on this host.</summary>
public sealed class SlurmLab : IAsyncDisposable
{
    private static readonly string[] s_needed = ["/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/sbin/munged", "/usr/bin/sbatch"];
    private static readonly string[] s_neededToAccount = ["/usr/sbin/slurmdbd", "/usr/sbin/mariadbd"];
    private const int PortsOfEach = 30;
    private const int MostPorts = 24;

    private readonly string _script;
    private readonly int _port;
    private readonly FileStream _claim;

    private SlurmLab(string script, string directory, (int Port, FileStream Claim) ports)
    {
        (_script, DirectoryPath, (_port, _claim)) = (script, directory, ports);
    }

    public string DirectoryPath { get; }

    /// <summary>Where the commands find it; <c>SLURM_CONF</c> of whoever runs them.</summary>
    public string Configuration => Path.Combine(DirectoryPath, "slurm.conf");

    /// <summary>Why there can be none here; null when there can.</summary>
    public static string? Missing => MissingOf(s_needed);

    /// <summary>The same of one with accounting.</summary>
    public static string? MissingToAccount => MissingOf([.. s_needed, .. s_neededToAccount]);

    /// <param name="repository">Where <c>tests/lib</c> is.</param>
    /// <param name="nodes">How many.</param>
    /// <param name="cpus">Of each.</param>
    /// <param name="extra">Further lines of slurm.conf.</param>
    /// <param name="nodeExtra">Further words of its nodes.</param>
    /// <param name="accounting">With slurmdbd and the database behind it.</param>
    public static async Task<SlurmLab> StartAsync(string repository, int nodes = 4, int cpus = 2, string extra = "", string nodeExtra = "", bool accounting = false)
    {
        var directory = LocalCluster.NewDirectory("slurm");
        File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        var lab = new SlurmLab(Path.Combine(repository, "tests/lib/slurm_lab"), directory, ClaimPorts());
        var (code, output) = await lab.CommandAsync(
            [lab._script, "start", directory, lab._port.ToString(CultureInfo.InvariantCulture), nodes.ToString(CultureInfo.InvariantCulture), cpus.ToString(CultureInfo.InvariantCulture)],
            ("SLURM_LAB_EXTRA", extra), ("SLURM_LAB_NODE", nodeExtra), ("SLURM_LAB_ACCOUNTING", accounting ? "1" : ""));
        if (code == 0)
            return lab;
        await lab.DisposeAsync();
        throw new InvalidOperationException($"slurm_lab start ended with {code}: {output}");
    }

    /// <summary>Runs one of Slurm's commands.</summary>
    /// <returns>What it wrote.</returns>
    public async Task<string> RunAsync(params string[] command)
    {
        var (code, output) = await CommandAsync(command);
        return code == 0 ? output.Trim() : throw new InvalidOperationException($"{string.Join(' ', command)} ended with {code}: {output}");
    }

    /// <summary>The same, whatever comes of it.</summary>
    public async Task TryAsync(params string[] command) => await CommandAsync(command);

    /// <summary>The jobs that have not ended, as <c>ID STATE</c>.</summary>
    public async Task<string[]> JobsAsync() => (await RunAsync("squeue", "-h", "-o", "%A %T")).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>
    /// Waits until a run of a job that was put back into the queue is over for the controller, too: told to begin the next one before, it takes that run's end for the next one's. Each step's manager tells it of
    /// the end and has its answer before it ends; the socket by which others ask it may be gone while it still tells.
    /// </summary>
    public Task RunIsOverAsync(string job) => Eventually.TrueAsync(
        async () => !StepManagers(job).Any() && (await JobsAsync()).Contains($"{job} PENDING"), $"the run of job {job} is over", seen: () => $"steps {string.Join(", ", StepManagers(job))}");

    /// <summary>What controller and nodes have written of a job, for the message of a failure.</summary>
    public string LogsOf(string job) => string.Join('\n', Directory.EnumerateFiles(Path.Combine(DirectoryPath, "log"), "*.log")
        .SelectMany(log => File.ReadLines(log).Where(line => Regex.IsMatch(line, $@"\b(JobId=|job |StepId=|_)0*{Regex.Escape(job)}\b", RegexOptions.IgnoreCase)).Select(line => $"{Path.GetFileName(log)}: {line}")));

    /// <summary>The daemon's process id; <c>slurmctld</c>, <c>slurmdbd</c> or <c>slurmd.n1</c>.</summary>
    public int PidOf(string daemon) => int.Parse(File.ReadAllText(Path.Combine(DirectoryPath, "run", $"{daemon}.pid")), CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        await CommandAsync([_script, "stop", DirectoryPath, _port.ToString(CultureInfo.InvariantCulture)]);
        await _claim.DisposeAsync();
        try
        {
            Directory.Delete(DirectoryPath, recursive: true);
        }
        catch (IOException)
        {
            // A step's manager that ends this moment may still write; tests/run removes the rest.
        }
    }

    // Each names its step in its title and works in the directory of its node's daemon.
    private IEnumerable<string> StepManagers(string job) => ProcessTable.Mentioning(DirectoryPath)
        .Select(static process => process.Arguments is [var title, ..] ? title : "")
        .Where(title => title.StartsWith($"slurmstepd: [{job}.", StringComparison.Ordinal));

    private static string? MissingOf(string[] files)
    {
        if (files.FirstOrDefault(static file => !File.Exists(file)) is { } file)
            return $"{file} is not there; tests/run installs Slurm";
        return Environment.IsPrivilegedProcess ? null : "Slurm's daemons are started as root";
    }

    private async Task<(int Code, string Output)> CommandAsync(string[] command, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["SLURM_CONF"] = Configuration;
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        // The daemons inherit these pipes and keep them: their end is not waited for.
        var (output, errors) = (ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync(patience.Token);
        await Task.WhenAny(Task.WhenAll(output, errors), Task.Delay(TimeSpan.FromSeconds(1)));
        return (process.ExitCode, (output.IsCompleted ? await output : "") + (errors.IsCompleted ? await errors : ""));
    }

    private static async Task<string> ReadAsync(StreamReader reader)
    {
        try
        {
            return await reader.ReadToEndAsync();
        }
        catch (ObjectDisposedException)
        {
            return "";
        }
    }

    // The controller's; the nodes' follow it. Taken from below the range that the kernel gives to clients.
    // Held while the lab lives: its daemons, behind a database above all, listen only after a while, and another lab, of this process or of another, would find the ports free.
    private static (int Port, FileStream Claim) ClaimPorts()
    {
        for (var port = 17_000 + (Environment.ProcessId % 400 * PortsOfEach); ; port += PortsOfEach)
        {
            FileStream claim;
            try
            {
                claim = new FileStream(
                    Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"funcx-slurm-{port}.claim")),
                    FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
            }
            catch (IOException)
            {
                continue;
            }

            if (Enumerable.Range(port, MostPorts).All(IsFree))
                return (port, claim);
            claim.Dispose();
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
