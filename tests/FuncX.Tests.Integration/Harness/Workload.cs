using System.Globalization;
using System.Text;
using System.Text.Json;
using FuncX.Tests.Submitter;

namespace FuncX.Tests.Integration.Harness;

/// <summary>A submitter, a process of its own, whose tasks leave traces on disk that the checker compares with what it was told.</summary>
public sealed class Workload : IAsyncDisposable
{
    private readonly LocalCluster _cluster;
    private readonly string _group = $"workload-{Guid.NewGuid():N}";
    private readonly string _journal;
    private readonly string _tasks;
    private readonly StringBuilder _kills = new();
    private Daemon? _submitter;

    private Workload(LocalCluster cluster, string name)
    {
        _cluster = cluster;
        _journal = Path.Combine(cluster.DirectoryPath, $"{name}-journal");
        _tasks = Path.Combine(cluster.DirectoryPath, $"{name}-tasks");
        Directory.CreateDirectory(_journal);
        Directory.CreateDirectory(Path.Combine(_tasks, "tasks"));
        Directory.CreateDirectory(Path.Combine(_tasks, "running"));
    }

    public string Group => _group;

    public Daemon Submitter => _submitter!;

    /// <summary>Bytes of outcomes that the submitter has written: grows as long as work flows.</summary>
    public long Progress => new FileInfo(Path.Combine(_journal, "outcomes")) is { Exists: true } file ? file.Length : 0;

    /// <summary>Starts submitting.</summary>
    public static async Task<Workload> StartAsync(
        LocalCluster cluster,
        int perBatch,
        int window,
        int milliseconds,
        uint maxAttempts,
        string name = "workload",
        IReadOnlyDictionary<string, string?>? submitterEnvironment = null)
    {
        var workload = new Workload(cluster, name);
        var function = await cluster.Api.RegisterAsync(Python.Work, "work");
        new SubmitterSettings(
            cluster.Service.Address, cluster.TokenFile, function, cluster.EndpointId, workload._group, workload._tasks, perBatch, window, milliseconds, maxAttempts)
            .Write(Path.Combine(workload._journal, "submitter.json"));
        await workload.StartSubmitterAsync(submitterEnvironment);
        return workload;
    }

    public async Task StartSubmitterAsync(IReadOnlyDictionary<string, string?>? environment = null)
    {
        if (_submitter is not null)
            await _submitter.DisposeAsync();
        _submitter = Daemon.Start(
            [SourceTree.Program("tests/FuncX.Tests.Submitter", "funcx-submitter"), _journal], Path.Combine(_cluster.DirectoryPath, "submitter.log"), environment);
    }

    public async Task KillSubmitterAsync() => await _submitter!.KillAsync();

    /// <summary>Worker processes that are in the middle of a task this moment, each with its zygote.</summary>
    public IReadOnlyDictionary<int, int> Running() => Directory.EnumerateFiles(Path.Combine(_tasks, "running"))
        .Select(static path => ProcessTable.Find(int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)))
        .OfType<ProcessEntry>()
        .Where(static entry => entry.State is not ('Z' or 'X'))
        .ToDictionary(static entry => entry.Pid, static entry => entry.Parent);

    /// <summary>What the submitter has planned, was promised and was told, as its journal says.</summary>
    public SubmitterCounts Counts()
    {
        // Outcomes first: none may be counted whose submission is not.
        var outcomes = WholeLines("outcomes").Sum(static line => line.Count(static character => character == ' '));
        var planned = new Dictionary<string, int>(StringComparer.Ordinal);
        var accepted = 0;
        foreach (var words in WholeLines("submissions").Select(static line => line.Split(' ')))
        {
            if (words[0] == "plan")
                planned[words[1]] = int.Parse(words[3], CultureInfo.InvariantCulture);
            else
                accepted += planned[words[1]];
        }

        return new SubmitterCounts(planned.Values.Sum(), accepted, outcomes);
    }

    /// <summary>Tells the checker of a death.</summary>
    /// <param name="kind">client, service, endpoint, manager, zygote, worker or superseded.</param>
    /// <param name="pid">Who died.</param>
    /// <param name="mayLose">Executions that may have been lost with a manager or an endpoint: what was at it. What a worker or a zygote may lose the checker knows itself.</param>
    public void NoteDeath(string kind, int pid, long mayLose = 0) =>
        _kills.Append(CultureInfo.InvariantCulture, $"{kind} {pid} {(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100} {mayLose}\n");

    /// <summary>Waits until new outcomes reach the submitter.</summary>
    public async Task FlowsAsync(TimeSpan? within = null)
    {
        var before = Progress;
        await Eventually.TrueAsync(
            () => Progress > before || _submitter!.HasExited,
            "outcomes reach the submitter",
            within,
            () => $"{before} bytes of outcomes; submitter: {_submitter!.Tail}");
        if (_submitter!.HasExited)
            throw new InvalidOperationException($"the submitter ended with {_submitter.ExitCode}: {_submitter.Tail}");
    }

    /// <summary>Stops submitting, waits for every outcome and lets the checker judge.</summary>
    /// <returns>The checker's report.</returns>
    public async Task<JsonElement> FinishAsync(TimeSpan within)
    {
        await File.WriteAllTextAsync(Path.Combine(_journal, "stop"), "");
        await _submitter!.WaitAsync(within);
        _submitter.ExitCode.ShouldBe(0, _submitter.Tail);
        var attempts = Path.Combine(_journal, "attempts");
        await WriteAttemptsAsync(attempts);
        var kills = Path.Combine(_journal, "kills");
        await File.WriteAllTextAsync(kills, _kills.ToString());
        var (exitCode, output) = await Daemon.RunAsync(
            ["/usr/bin/python3", Path.Combine(SourceTree.Root, "tests/checker.py"), "--journal", _journal, "--tasks", _tasks, "--attempts", attempts, "--kills", kills],
            Path.Combine(_cluster.DirectoryPath, "checker.log"),
            TimeSpan.FromMinutes(2));
        exitCode.ShouldBe(0, output);
        using var report = JsonDocument.Parse(output);
        return report.RootElement.Clone();
    }

    public async ValueTask DisposeAsync()
    {
        if (_submitter is not null)
            await _submitter.DisposeAsync();
    }

    private string[] WholeLines(string file)
    {
        var path = Path.Combine(_journal, file);
        if (!File.Exists(path))
            return [];
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var text = reader.ReadToEnd();
        return text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private async Task WriteAttemptsAsync(string path)
    {
        var first = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var words in (await File.ReadAllLinesAsync(Path.Combine(_journal, "submissions"))).Select(static line => line.Split(' ')))
        {
            if (words[0] == "plan")
                first[words[1]] = int.Parse(words[2], CultureInfo.InvariantCulture);
        }

        var text = new StringBuilder();
        foreach (var task in await _cluster.Api.ListAsync(_group))
        {
            TaskId.TryParse(task.TaskId, out var id).ShouldBeTrue(task.TaskId);
            text.Append(CultureInfo.InvariantCulture, $"{first[id.Batch.ToString()] + id.Index} {(int)task.State} {(int)task.Outcome} {task.Attempts}\n");
        }

        await File.WriteAllTextAsync(path, text.ToString());
    }
}
