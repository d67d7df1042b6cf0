using System.Diagnostics;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>A program that starts the ranks of one MPI.</summary>
public enum Launcher
{
    /// <summary>Open MPI's mpirun.</summary>
    OpenMpi,

    /// <summary>MPICH's Hydra.</summary>
    Mpich,
}

/// <summary>A real world of managers with real Python workers, started by a real launcher, against a played endpoint. Disposing checks that nothing is left.</summary>
internal sealed class WorldUnderTest : IDisposable
{
    private readonly List<string> _said = [];
    private int _heard;
    private readonly BatchId _batch = BatchId.New(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
    private uint _next;

    /// <param name="library">The MPI of a world of one rank that no launcher starts.</param>
    public WorldUnderTest(Launcher launcher, int ranks, int perNode = 1, int heartbeatMs = 1000, string[]? options = null, string[]? launcherOptions = null, string? init = null, object? workers = null, object? stage = null,
        string? library = null)
    {
        if (library is null)
            SkipUnlessInstalled(launcher);
        Ranks = ranks;
        Folder = Path.Combine(Path.GetTempPath(), $"funcx-world-test-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Endpoint = new WorldEndpoint(Folder, workers ?? NodeUnderTest.Settings(perNode, init), stage) { HeartbeatMs = heartbeatMs };
        string[] command = [.. library is null ? Command(launcher, ranks) : [], .. launcherOptions ?? [], ProgramUnderTest.Manager, "--world", "--rendezvous", Endpoint.RendezvousFile, "--directory", Path.Combine(Folder, "world"),
            "--patience", "60", .. options ?? []];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Folder,
        };
        start.Environment.Remove("FUNCX_MPI_LIBRARY");
        if (library is not null)
            start.Environment["FUNCX_MPI_LIBRARY"] = library;
        start.Environment["SLURM_JOB_ID"] = "77";
        start.Environment["SLURM_STEP_ID"] = "0";
        start.Environment["SLURM_PROCID"] = "5";
        // Nothing of these tests leaves the machine.
        start.Environment["OMPI_MCA_btl_tcp_if_include"] = "lo";
        start.Environment["OMPI_MCA_oob_tcp_if_include"] = "lo";
        Process = Process.Start(start)!;
        Process.StandardInput.Close();
        Process.OutputDataReceived += Hear;
        Process.ErrorDataReceived += Hear;
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();
    }

    public int Ranks { get; }

    public string Folder { get; }

    public WorldEndpoint Endpoint { get; }

    /// <summary>The launcher.</summary>
    public Process Process { get; }

    public string Said
    {
        get
        {
            lock (_said)
                return string.Join('\n', _said);
        }
    }

    /// <summary>Waits until so many managers are there; all when nothing is said.</summary>
    public WorldUnderTest Ready(int? managers = null)
    {
        Eventually(() => Endpoint.Present == (managers ?? Ranks), $"{managers ?? Ranks} managers to say hello", seconds: 60);
        return this;
    }

    public TaskId NewId() => new(_batch, _next++);

    public TaskId Submit(uint manager, string function, string arguments = "[]")
    {
        var id = NewId();
        Endpoint.Submit(manager, [(id, arguments)], function);
        return id;
    }

    public EndpointStandIn.Answer Result(TaskId id, double seconds = 30)
    {
        Eventually(() => Endpoint.First(id) is not null, $"a result of task {id}", seconds);
        return Endpoint.First(id)!;
    }

    public EndpointStandIn.Answer Run(uint manager, string function, string arguments = "[]") => Result(Submit(manager, function, arguments));

    public void Signal(int pid, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", pid.ToString()]);
        kill.WaitForExit();
    }

    /// <summary>Waits for the launcher's end and for all that was said until then: its pipes are read behind its back.</summary>
    public void WaitForEnd(double seconds = 20)
    {
        Eventually(() => Process.HasExited, "the launcher's end", seconds);
        Eventually(() => Volatile.Read(ref _heard) == 2, "the end of what it says", seconds);
    }

    public void Eventually(Func<bool> condition, string what, double seconds = 30)
    {
        var stop = Stopwatch.StartNew();
        while (!condition())
        {
            if (stop.Elapsed.TotalSeconds > seconds)
                throw new TimeoutException($"waited {seconds} s for {what}; exited: {Process.HasExited}; present: {Endpoint.Present}; problems: {string.Join("; ", Endpoint.Problems)}; the world said: {Said}");
            Thread.Sleep(2);
        }
    }

    public void Dispose()
    {
        try
        {
            if (!Process.HasExited)
            {
                Signal(Process.Id, "TERM");
                if (!Process.WaitForExit(20_000))
                {
                    Process.Kill();
                    throw new TimeoutException($"the launcher did not end on SIGTERM: {Said}");
                }
            }

            Eventually(() => NodeUnderTest.ProcessesIn(Folder).Count == 0, "no process left");
        }
        finally
        {
            foreach (var left in NodeUnderTest.ProcessesIn(Folder))
                Signal(left, "KILL");
            Endpoint.Dispose();
            Process.Dispose();
            Directory.Delete(Folder, recursive: true);
        }

        Said.ShouldNotContain("Exception");
        Endpoint.Problems.ShouldBeEmpty();
    }

    // More ranks than cores is what a test machine has; without the option mpirun refuses.
    private static string[] Command(Launcher launcher, int ranks) => launcher == Launcher.OpenMpi
        ? ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", ranks.ToString()]
        : ["mpiexec.hydra", "-n", ranks.ToString()];

    private static void SkipUnlessInstalled(Launcher launcher)
    {
        var program = Command(launcher, 1)[0];
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        Assert.SkipUnless(found, $"{program} is not installed; tests/run installs it (Debian package {(launcher == Launcher.OpenMpi ? "openmpi-bin" : "mpich")})");
    }

    private void Hear(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null)
        {
            Interlocked.Increment(ref _heard);
            return;
        }

        lock (_said)
            _said.Add(line.Data);
    }
}
