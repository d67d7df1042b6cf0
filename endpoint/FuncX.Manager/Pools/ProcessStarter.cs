using System.Runtime.InteropServices;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;
using FuncX.Manager.Workers;

namespace FuncX.Manager.Pools;

/// <summary>Starts zygotes and single workers through the spawner.</summary>
internal sealed unsafe class ProcessStarter(Node node, Spawner spawner)
{
    private const int RingBytes = ResultRing.HeaderBytes + (256 * 1024);

    // The runtime keeps what it compiles in memory that is shared with a forked child, whose own compiling would then change it under the parent. This keeps it private.
    private const string PrivateCode = "DOTNET_EnableWriteXorExecute=0";

    // A runtime that finds itself in a control group keeps its heap below three quarters of it, and throws; whether it does would hang on how soon it was put there. This is
    // a limit that it does not meet. Hexadecimal.
    private string BeyondGroup => $"DOTNET_GCHeapHardLimit={4 * node.Settings.MemoryPerWorker:X}";

    private static string Script => Path.Combine(AppContext.BaseDirectory, "workers", "python", "worker.py");

    private static string DotnetWorker => Path.Combine(AppContext.BaseDirectory, "workers", "dotnet", "funcx-worker");

    /// <summary>False, and the pool's tasks are rejected, when the node has nothing that could run them.</summary>
    public bool FindProgram(OwnerPool pool)
    {
        var reason = pool.Kind switch
        {
            WorkerKind.Python => Interpreter() is not null ? null
                : $"the interpreter '{node.Settings.Python}' (workers.python) was not found on node {node.Name}; PATH is {NodeEnvironment.Value(node.Environment.ForWorkers, "PATH")}",
            WorkerKind.Command => null,
            WorkerKind.Dotnet => File.Exists(DotnetWorker) ? null : $"the program that runs .NET functions, {DotnetWorker}, is not there on node {node.Name}",
            _ => $"node {node.Name} runs functions of the kinds python, command and dotnet, and this is of another",
        };
        if (reason is null)
            return true;
        pool.Reject(reason);
        return false;
    }

    public Zygote StartZygote(OwnerPool pool)
    {
        var ends = new Ends();
        var zygote = new Zygote(node, pool, ends.Socket, ends.Stdout, ends.Stderr);
        Start(pool, null, Python("--zygote"), [ends.ChildSocket, ends.ChildStdout, ends.ChildStderr], pid => zygote.Pid = pid, zygote.OnStartFailed, zygote.OnExit);
        ends.CloseChild();
        return zygote;
    }

    /// <summary>A worker of its own; one that runs Python gets a ring as descriptor 3.</summary>
    public void StartWorker(OwnerPool pool, WorkerSlot slot)
    {
        var ends = new Ends();
        var memory = pool.Kind != WorkerKind.Python ? -1 : Libc.MemFdCreate("funcx-results", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        if (pool.Kind == WorkerKind.Python && (memory < 0 || Libc.Truncate(memory, RingBytes) < 0))
            throw new InvalidOperationException($"making a result ring failed: {Libc.LastError()}");
        var ring = memory < 0 ? null : ResultRing.Map(memory);
        var started = 0;
        Start(pool, slot, WorkerOf(pool.Kind), memory < 0 ? [ends.ChildSocket, ends.ChildStdout, ends.ChildStderr] : [ends.ChildSocket, ends.ChildStdout, ends.ChildStderr, memory], OnStarted, OnFailed, code => pool.OnExited(started, code));
        ends.CloseChild();
        if (memory >= 0)
            _ = Libc.Close(memory);

        void OnStarted(int pid)
        {
            started = pid;
            pool.OnForked(new WorkerDescriptors(pid, ends.Socket, ring, ends.Stdout, ends.Stderr), slot.Number);
        }

        void OnFailed(string reason)
        {
            ring?.Unmap();
            _ = Libc.Close(ends.Socket);
            _ = Libc.Close(ends.Stdout);
            _ = Libc.Close(ends.Stderr);
            pool.OnForkRefused($"it could not be started: {reason}", slot.Number);
        }
    }

    /// <summary>What prints the version of Python; null: there is none.</summary>
    public string[]? PythonVersion() => Interpreter() is { } python ? [python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"] : null;

    /// <summary>What prints the version of .NET; null: there is none.</summary>
    public string[]? DotnetVersion() => File.Exists(DotnetWorker) ? [DotnetWorker, "--runtime"] : null;

    private string? Interpreter() => Spawn.Find(node.Settings.Python, node.Environment.ForWorkers);

    private string[] Python(params string[] arguments) => [Interpreter() ?? node.Settings.Python, Script, .. arguments];

    private IReadOnlyList<string> EnvironmentOf(WorkerKind kind, WorkerSlot? slot)
    {
        var common = node.Environment.ForWorkers;
        if (slot is null)
            return common;
        return
        [
            .. common.Where(variable => !slot.Variables.Any(own => variable.StartsWith(own.Key + "=", StringComparison.Ordinal))),
            .. slot.Environment,
            .. kind == WorkerKind.Dotnet ? node.Memory.UsesGroups ? [PrivateCode, BeyondGroup] : [PrivateCode] : (string[])[],
        ];
    }

    private string[] WorkerOf(WorkerKind kind)
    {
        if (kind == WorkerKind.Dotnet)
            return [DotnetWorker];
        if (kind == WorkerKind.Command)
            return [.. SpawnerProgram.This, "--command-worker", node.Settings.Kept.Length > 0 ? node.Settings.Kept : Path.Combine(node.Directory, "kept")];
        string[] preload = node.Settings.Preload.Length > 0 ? ["--preload", string.Join(',', node.Settings.Preload)] : [];
        return Python(["--worker", "--ring", "3", .. preload]);
    }

    private void Start(OwnerPool pool, WorkerSlot? slot, string[] command, ReadOnlySpan<int> descriptors, Action<int> started, Action<string> failed, Action<int> exited)
    {
        var request = new SpawnRequest
        {
            Program = command[0],
            Arguments = command,
            Environment = EnvironmentOf(pool.Kind, slot),
            Directory = pool.Directory,
            Cpus = slot?.Cpus ?? [],
        };
        spawner.Request(request, descriptors, pid =>
        {
            if (pid > 0)
                started(pid);
            else
                failed($"{command[0]}: {Marshal.GetPInvokeErrorMessage(-pid)}");
        }, exited);
    }

    private sealed class Ends
    {
        public Ends()
        {
            var pair = stackalloc int[2];
            if (Libc.SocketPair(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0, pair) < 0)
                throw new InvalidOperationException($"socketpair failed: {Libc.LastError()}");
            (Socket, ChildSocket) = (pair[0], pair[1]);
            if (Libc.Pipe2(pair, Libc.O_CLOEXEC) < 0)
                throw new InvalidOperationException($"pipe2 failed: {Libc.LastError()}");
            (Stdout, ChildStdout) = (pair[0], pair[1]);
            if (Libc.Pipe2(pair, Libc.O_CLOEXEC) < 0)
                throw new InvalidOperationException($"pipe2 failed: {Libc.LastError()}");
            (Stderr, ChildStderr) = (pair[0], pair[1]);
        }

        public int Socket { get; }

        public int ChildSocket { get; }

        public int Stdout { get; }

        public int ChildStdout { get; }

        public int Stderr { get; }

        public int ChildStderr { get; }

        public void CloseChild()
        {
            _ = Libc.Close(ChildSocket);
            _ = Libc.Close(ChildStdout);
            _ = Libc.Close(ChildStderr);
        }
    }
}
