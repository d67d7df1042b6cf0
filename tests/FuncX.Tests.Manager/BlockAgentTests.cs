using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>A block's agent whose launcher is a script, against an endpoint's stand-in: what its ranks would say it is told by nobody, so it looks for it in their file, again and again.</summary>
public sealed class BlockAgentTests : IDisposable
{
    // As Open MPI 4's, whose ranks live when another dies: such a world is looked after until it ends.
    private const string Mpirun = """
        #!/bin/sh
        if [ "$1" = --version ]; then
            echo "mpirun (Open MPI) 4.1.4"
            exit
        fi
        : >"$(dirname "$0")/launched"
        exec sleep 1000
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("funcx-agent-test-").FullName;
    private readonly ConcurrentQueue<JsonElement> _statuses = new();
    private readonly ConcurrentQueue<string> _said = new();
    private readonly StandInListener _endpoint;
    private Process? _agent;

    public BlockAgentTests()
    {
        _endpoint = new StandInListener(_folder, Serve);
        File.WriteAllText(Path.Combine(_folder, "mpirun"), Mpirun);
        File.SetUnixFileMode(Path.Combine(_folder, "mpirun"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    public void Dispose()
    {
        try
        {
            if (_agent is { HasExited: false })
            {
                // Its spawner outlives it until it has ended what it made.
                _agent.Kill();
                _agent.WaitForExit(10_000);
            }

            Eventually(() => NodeUnderTest.ProcessesIn(_folder).Count == 0, "no process left");
        }
        finally
        {
            _agent?.Dispose();
            _endpoint.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void A_file_system_that_hangs_does_not_keep_it_from_ending()
    {
        Start();
        Hang();
        NodeUnderTest.Terminate(_agent!.Id);
        _agent.WaitForExit(30_000).ShouldBeTrue($"it was to end, whatever the file system does; it said: {Said}");
        _agent.ExitCode.ShouldBe(0, Said);
        NodeUnderTest.ProcessesIn(_folder).ShouldBeEmpty();
    }

    [Theory]
    [LongData("--walltime", "30")]
    public void Nor_from_seeing_that_its_jobs_time_is_over(params string[] thirtySeconds)
    {
        Start(thirtySeconds);
        Hang();
        // 20 s before the end of the job.
        Eventually(() => Said.Contains("take no more tasks and finish what they have", StringComparison.Ordinal), "the drain");
        Eventually(() => _statuses.Any(static status => status.GetProperty("note").GetString()!.Contains("take no more tasks", StringComparison.Ordinal)), "the endpoint to be told");
        // And 5 s before.
        _agent!.WaitForExit(60_000).ShouldBeTrue(Said);
        _agent.ExitCode.ShouldBe(0, Said);
    }

    private string Said => string.Join('\n', _said);

    private void Start(params string[] more)
    {
        var start = new ProcessStartInfo(ProgramUnderTest.Manager, ["--block", "--rendezvous", _endpoint.RendezvousFile, "--directory", Path.Combine(_folder, "agent"), "--hosts", "localhost,localhost", .. more])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        start.Environment["PATH"] = $"{_folder}:{Environment.GetEnvironmentVariable("PATH")}";
        _agent = Process.Start(start)!;
        _agent.ErrorDataReceived += (_, line) => _said.Enqueue(line.Data ?? "");
        _agent.BeginErrorReadLine();
        Eventually(() => File.Exists(Path.Combine(_folder, "launched")), "the world to be launched");
    }

    // A pipe that nobody writes to stands for the file that the file system does not give.
    private void Hang()
    {
        var marks = Directory.GetFiles(Path.Combine(_folder, "agent", "world-1"), "marks-*").ShouldHaveSingleItem();
        using (var made = Process.Start("mkfifo", [marks + ".pipe"]))
            made.WaitForExit();
        File.Move(marks + ".pipe", marks, overwrite: true);
        Eventually(() => Directory.EnumerateDirectories($"/proc/{_agent!.Id}/task").Any(IsOpeningPipe), "the agent to hang in its look");
    }

    // fifo_open of Linux, or what it waits in.
    private static bool IsOpeningPipe(string thread)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, "wchan")) is "wait_for_partner" or "fifo_open";
        }
        catch (IOException)
        {
            return false;
        }
    }

    private void Serve(TcpClient client, SslStream stream)
    {
        try
        {
            StandInListener.Read(stream, out _);
            // It hears nothing more: its patience is five of these.
            var welcome = new ArrayBufferWriter<byte>();
            FrameWriter.Write(
                welcome, new FrameHeader { Kind = FrameKind.Welcome },
                JsonSerializer.SerializeToUtf8Bytes(new { version = "0.1.0", protocol = 1, number = 0, heartbeat_ms = 60_000, block = new { launcher = "mpirun", ranks_per_world = 2, arguments = Array.Empty<string>() } }));
            stream.Write(welcome.WrittenSpan);
            while (true)
            {
                var frame = StandInListener.Read(stream, out var header);
                if (header.Kind == FrameKind.Status)
                    _statuses.Enqueue(JsonDocument.Parse(frame.AsMemory(FrameHeader.Size)).RootElement);
            }
        }
        catch (Exception problem) when (problem is IOException or ObjectDisposedException)
        {
            client.Close();
        }
    }

    private void Eventually(Func<bool> condition, string what)
    {
        var stop = Stopwatch.StartNew();
        while (!condition())
        {
            if (stop.Elapsed.TotalSeconds > 30)
                throw new TimeoutException($"waited 30 s for {what}; exited: {_agent?.HasExited}; the agent said: {Said}");
            Thread.Sleep(2);
        }
    }
}
