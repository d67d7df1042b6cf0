using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>PBS or Cobalt for whole endpoints, played by commands that really run the jobs (<c>tests/lib/fake_pbs</c>, <c>fake_cobalt</c>), in a directory of its own.</summary>
public sealed class PlayedSite : IDisposable
{
    private static readonly Dictionary<string, string[]> s_commands = new(StringComparer.Ordinal)
    {
        ["pbs"] = ["qsub", "qstat", "qdel", "qrerun", "qselect"],
        ["cobalt"] = ["qsub", "qstat", "qdel", "cqadm"],
    };

    private static readonly Dictionary<string, string> s_launchers = new(StringComparer.Ordinal) { ["pbs"] = "pbsdsh", ["cobalt"] = "aprun" };

    private readonly string _kind;
    private readonly string _root = LocalCluster.NewDirectory("played");

    /// <param name="launches">Whether the scheduler's own launcher is there; worlds are launched by MPI's where it is not.</param>
    public PlayedSite(string kind, bool launches = true)
    {
        _kind = kind;
        Directory.CreateDirectory(Path.Combine(_root, "bin"));
        Directory.CreateDirectory(State);
        foreach (var command in launches ? [.. s_commands[kind], s_launchers[kind]] : s_commands[kind])
            File.CreateSymbolicLink(Path.Combine(_root, "bin", command), Path.Combine(SourceTree.Root, "tests/lib", $"fake_{kind}"));
        Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["PATH"] = $"{Path.Combine(_root, "bin")}:{System.Environment.GetEnvironmentVariable("PATH")}" };
    }

    /// <summary>Of an endpoint that finds the commands.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; }

    public string Root => _root;

    private string State => Path.Combine(_root, "state");

    /// <summary>Where the commands are.</summary>
    public string Commands => Path.Combine(_root, "bin");

    /// <summary>Gives the machine a command besides, from <c>tests/lib</c>.</summary>
    public void Install(string command, string script) => File.CreateSymbolicLink(Path.Combine(Commands, command), Path.Combine(SourceTree.Root, "tests/lib", script));

    /// <summary>The keys are in the commands' first lines.</summary>
    public void Configure(string json) => File.WriteAllText(Path.Combine(State, "config.json"), json);

    /// <summary>Makes the server go away, or stand still (<c>hung</c>), until it is disposed.</summary>
    public IDisposable Without(string how = "down") => new Flag(Path.Combine(State, how), "");

    /// <summary>The first node dies, with every job that began on it; it stays away until it is disposed.</summary>
    public IDisposable WithoutFirstNode() => new Flag(Path.Combine(State, "lost"), _kind == "pbs" ? "m1" : "c1");

    /// <summary>A script for a job that is none of the endpoint's.</summary>
    public string Script(string command)
    {
        var path = Path.Combine(_root, "other");
        File.WriteAllText(path, $"#!/bin/bash\n{command}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    /// <summary>Runs one of the commands.</summary>
    /// <returns>What it wrote.</returns>
    public async Task<string> RunAsync(string command, params string[] arguments)
    {
        var (code, output) = await Daemon.RunAsync([Path.Combine(_root, "bin", command), .. arguments], Path.Combine(_root, "commands.log"), Eventually.Patience);
        code.ShouldBe(0, $"{command} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    /// <summary>The jobs that the scheduler has in its queue.</summary>
    public async Task<string[]> QueueAsync() => _kind == "pbs"
        ? Lines(await RunAsync("qselect"))
        // Below a heading and a line of '='.
        : [.. Lines(await RunAsync("qstat", "--header", "JobID:State")).Skip(2).Select(static line => line.Trim().Split(' ')[0])];

    /// <summary>What the server has noted of a job.</summary>
    public JsonElement Record(string job)
    {
        using var record = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(State, "jobs", job.Split('.')[0])));
        return record.RootElement.Clone();
    }

    /// <summary>Jobs of all times.</summary>
    public int JobsEver() => Directory.EnumerateFiles(Path.Combine(State, "jobs")).Count(static file => Path.GetFileName(file).All(char.IsAsciiDigit));

    /// <summary>Asserts that no job is left, in the queue or on a node.</summary>
    public async Task NothingRunsAsync()
    {
        (await QueueAsync()).ShouldBeEmpty("no job may be in the queue");
        await Eventually.TrueAsync(() => ProcessTable.Mentioning(State).Count == 0, "no job runs", TimeSpan.FromSeconds(20));
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_root, recursive: true);
        }
        catch (IOException)
        {
            // After a failure a job that ends this moment may still write.
        }
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private sealed class Flag : IDisposable
    {
        private readonly string _path;

        public Flag(string path, string text)
        {
            _path = path;
            File.WriteAllText(path, text);
        }

        public void Dispose() => File.Delete(_path);
    }
}
