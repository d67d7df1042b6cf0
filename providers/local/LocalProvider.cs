using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;

namespace FuncX.Providers.Local;

/// <summary>
/// Blocks on this machine: one detached <c>funcx-manager</c> per node, or over MPI one agent that launches them. They survive the endpoint, and a later process of the endpoint finds them
/// by process id and start time.
/// </summary>
/// <param name="ownJob">
/// The nodes are those of the job that this process runs in (<c>provider: {type: allocation}</c>): its one block is an agent, which finds them in its environment and launches the managers,
/// as MPI programs or each by itself. When that has ended by itself there will be no other.
/// </param>
/// <param name="walltime">With <paramref name="ownJob"/>: how long the job lasts, where it does not tell itself.</param>
public sealed partial class LocalProvider(TimeProvider time, bool ownJob = false, TimeSpan? walltime = null) : IBlockProvider
{
    private const int Terminate = 15; // SIGTERM
    private const int Kill = 9; // SIGKILL

    /// <summary>How long a manager has to end its workers before it is killed.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>And how long it has then to be gone: a process that waits for a dead file system cannot be ended at all.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    // Processes that this one started and whose end has not been written down yet: gone from /proc a moment before their exit status is known.
    private readonly ConcurrentDictionary<int, byte> _watched = new();

    public string Name => ownJob ? "allocation" : "local";

    public bool IsOnce => ownJob;

    public TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    // A laptop's name changes with its network: a job of this boot is here whatever the name was.
    public bool IsElsewhere(string host, string? jobId) =>
        host != Environment.MachineName && !(jobId is not null && LocalJob.TryParse(jobId, out var job) && job.IsHere);

    public async Task<string> SubmitAsync(BlockRequest block, CancellationToken cancellation)
    {
        var nodes = new List<ProcessRecord>(ProcessesOf(block));
        try
        {
            for (var node = 0; node < ProcessesOf(block); node++)
            {
                cancellation.ThrowIfCancellationRequested();
                nodes.Add(StartNode(block, node));
            }
        }
        catch
        {
            await EndAsync(nodes);
            throw;
        }

        return LocalJob.Here(nodes).ToString();
    }

    public Task<string?> FindAsync(BlockRequest block, CancellationToken cancellation)
    {
        var found = FindManagers(block);
        return Task.FromResult(found.Count == 0 ? null : LocalJob.Here([.. found.Values.OrderBy(process => process.Pid)]).ToString());
    }

    public Task<string> RepairAsync(SubmittedBlock block, CancellationToken cancellation)
    {
        if (!LocalJob.TryParse(block.JobId, out var job) || !job.IsHere)
            return Task.FromResult(block.JobId);
        // Looked for, not taken from the id: an endpoint that was killed may have started one and not have written it down.
        var running = FindManagers(block.Block);
        var nodes = new List<ProcessRecord>(ProcessesOf(block.Block));
        for (var node = 0; node < ProcessesOf(block.Block); node++)
        {
            cancellation.ThrowIfCancellationRequested();
            nodes.Add(running.TryGetValue(DirectoryOf(block.Block, node), out var process) ? process : StartNode(block.Block, node));
        }

        return Task.FromResult(LocalJob.Here(nodes).ToString());
    }

    public Task<IReadOnlyList<BlockStatus>> QueryAsync(IReadOnlyList<SubmittedBlock> blocks, CancellationToken cancellation)
    {
        var answers = new BlockStatus[blocks.Count];
        for (var i = 0; i < answers.Length; i++)
            answers[i] = Query(blocks[i]);
        return Task.FromResult<IReadOnlyList<BlockStatus>>(answers);
    }

    public async Task CancelAsync(SubmittedBlock block, CancellationToken cancellation)
    {
        if (LocalJob.TryParse(block.JobId, out var job) && job.IsHere)
            await EndAsync([.. job.Nodes.Union(FindManagers(block.Block).Values)]);
    }

    /// <summary>What a process of a block is told, by its number.</summary>
    public IReadOnlyList<string> Arguments(BlockRequest block, int node)
    {
        var directory = DirectoryOf(block, node);
        if (!IsAgent(block))
            return ["--rendezvous", block.Rendezvous, "--node", block.Nodes == 1 ? Environment.MachineName : $"{Environment.MachineName}-{node}", "--directory", directory];
        return
        [
            "--block", .. block.OverMpi ? (string[])[] : ["--tcp"], "--rendezvous", block.Rendezvous, "--directory", directory,
            .. ownJob ? (string[])[] : ["--hosts", string.Join(',', Enumerable.Repeat("localhost", block.Nodes))],
            .. walltime is { } limit ? (string[])["--walltime", ((long)limit.TotalSeconds).ToString(CultureInfo.InvariantCulture)] : [],
        ];
    }

    /// <summary>How many processes a block is.</summary>
    public int ProcessesOf(BlockRequest block) => IsAgent(block) ? 1 : block.Nodes;

    private bool IsAgent(BlockRequest block) => ownJob || block.OverMpi;

    private BlockStatus Query(SubmittedBlock block)
    {
        if (!LocalJob.TryParse(block.JobId, out var job))
            return new BlockStatus(BlockState.Lost, $"'{block.JobId}' is not a job id of the {Name} provider");
        // Its processes, if there are any left, cannot reach an endpoint that is not on their machine: nothing of them will come back.
        if (!job.IsHere)
            return new BlockStatus(BlockState.Lost, $"its managers were started on {job.Host}, which was booted again or is not this machine ({Environment.MachineName})");
        var alive = 0;
        var endings = new List<string>();
        int? worst = 0;
        foreach (var node in job.Nodes)
        {
            if (node.IsAlive || _watched.ContainsKey(node.Pid))
            {
                alive++;
                continue;
            }

            var code = ExitRecords.Read(block.Block.Directory, node.Pid);
            endings.Add($"the manager with pid {node.Pid} {(code is { } known ? ExitRecords.Describe(known) : "is gone and left no exit status")}");
            worst = code is null || worst is null ? null : Math.Max(worst.Value, Math.Abs(code.Value));
        }

        var lost = ProcessesOf(block.Block) - alive;
        if (lost <= 0)
            return new BlockStatus(BlockState.Running, "");
        if (alive > 0)
            return new BlockStatus(BlockState.Running, $"{alive} of {block.Block.Nodes} managers left: {(endings.Count > 0 ? string.Join("; ", endings) : "the endpoint was killed before it had started the others")}", lost);
        var reason = string.Join("; ", endings);
        if (worst is not 0 && LogTail.Read(LogOf(block.Block, 0)) is { Length: > 0 } tail)
            reason += $"; {LogOf(block.Block, 0)} ends with: {tail}";
        return new BlockStatus(worst switch { null => BlockState.Lost, 0 => BlockState.Completed, _ => BlockState.Failed }, reason);
    }

    /// <summary>The block's managers that run, or its agent, by their directories.</summary>
    private Dictionary<string, ProcessRecord> FindManagers(BlockRequest block)
    {
        var isAgent = IsAgent(block);
        var found = new Dictionary<string, ProcessRecord>(StringComparer.Ordinal);
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry.AsSpan()), out var pid))
                continue;
            try
            {
                // The rendezvous file's path is in the arguments of this block's managers and of nothing else that a submission starts.
                var arguments = File.ReadAllText($"{entry}/cmdline").Split('\0');
                if (arguments.Contains("--block") != isAgent || ValueOf(arguments, "--rendezvous") != block.Rendezvous || ValueOf(arguments, "--directory") is not { } directory || ProcessRecord.Find(pid, out var session) is not { } process)
                    continue;
                // A child that it forked shows the same arguments until it executes something else, also when the manager itself is dead. What leads a session of its
                // own is the manager, and what has not got that far is about to become it, or was forked on the way there, and is the younger one then.
                if ((session == pid || DetachedProcess.IsStarting(arguments))
                    && (!found.TryGetValue(directory, out var other) || (process.StartTicks, process.Pid).CompareTo((other.StartTicks, other.Pid)) < 0))
                    found[directory] = process;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // It ended while we looked.
            }
        }

        return found;
    }

    private static string? ValueOf(string[] arguments, string option)
    {
        var at = Array.IndexOf(arguments, option);
        return at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }

    private ProcessRecord StartNode(BlockRequest block, int node)
    {
        var directory = DirectoryOf(block, node);
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var process = DetachedProcess.Start(block.Manager, Arguments(block, node), LogOf(block, node), directory);
        var pid = process.Id;
        _watched[pid] = 0;
        process.Exited += (_, _) =>
        {
            ExitRecords.Write(block.Directory, pid, process.ExitCode);
            _watched.TryRemove(pid, out _);
            process.Dispose();
        };
        process.EnableRaisingEvents = true;

        // Gone at once: start time 0 is no process's, so the block is found ended, with its exit record and log, at the first question.
        return ProcessRecord.Find(pid) ?? new ProcessRecord(pid, 0);
    }

    private async Task EndAsync(IReadOnlyList<ProcessRecord> nodes)
    {
        foreach (var node in nodes)
            Signal(node, Terminate);
        var begun = time.GetTimestamp();
        while (nodes.Any(node => node.IsAlive))
        {
            var elapsed = time.GetElapsedTime(begun);
            if (elapsed > Grace + s_patience)
                throw new BlockProviderException($"managers with pids {string.Join(", ", nodes.Where(node => node.IsAlive).Select(node => node.Pid))} are still there {s_patience.TotalSeconds} s after SIGKILL; look at /proc/PID/stack for what they wait for");
            if (elapsed > Grace)
            {
                foreach (var node in nodes)
                    Signal(node, Kill);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), time);
        }
    }

    private static void Signal(ProcessRecord process, int signal)
    {
        if (process.IsAlive)
            _ = SendSignal(process.Pid, signal);
    }

    private static string DirectoryOf(BlockRequest block, int node) => Path.Combine(block.Directory, $"node-{node}");

    private static string LogOf(BlockRequest block, int node) => Path.Combine(block.Directory, $"node-{node}.log");

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);
}
