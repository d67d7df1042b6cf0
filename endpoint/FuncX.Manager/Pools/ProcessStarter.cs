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

    private static string Script => Path.Combine(AppContext.BaseDirectory, "workers", "python", "worker.py");

    /// <summary>False, and the pool's tasks are rejected, when there is no such interpreter.</summary>
    public bool FindInterpreter(OwnerPool pool)
    {
        var environment = node.Environment.ForWorkers;
        if (Spawn.Find(node.Settings.Python, environment) is not null)
            return true;
        pool.Reject($"the interpreter '{node.Settings.Python}' (workers.python) was not found on node {node.Name}; PATH is {NodeEnvironment.Value(environment, "PATH")}");
        return false;
    }

    public Zygote StartZygote(OwnerPool pool)
    {
        var ends = new Ends();
        var zygote = new Zygote(node, pool, ends.Socket, ends.Stdout, ends.Stderr);
        Start(pool, ["--zygote"], [ends.ChildSocket, ends.ChildStdout, ends.ChildStderr], pid => zygote.Pid = pid, zygote.OnStartFailed, zygote.OnExit);
        ends.CloseChild();
        return zygote;
    }

    /// <summary>A worker of its own, with a ring as descriptor 3.</summary>
    public void StartWorker(OwnerPool pool)
    {
        var ends = new Ends();
        var memory = Libc.MemFdCreate("funcx-results", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        if (memory < 0 || Libc.Truncate(memory, RingBytes) < 0)
            throw new InvalidOperationException($"making a result ring failed: {Libc.LastError()}");
        var ring = ResultRing.Map(memory);
        var started = 0;
        string[] preload = node.Settings.Preload.Length > 0 ? ["--preload", string.Join(',', node.Settings.Preload)] : [];
        Start(pool, ["--worker", "--ring", "3", .. preload], [ends.ChildSocket, ends.ChildStdout, ends.ChildStderr, memory], OnStarted, OnFailed, code => pool.OnExited(started, code));
        ends.CloseChild();
        _ = Libc.Close(memory);

        void OnStarted(int pid)
        {
            started = pid;
            pool.OnForked(new WorkerDescriptors(pid, ends.Socket, ring, ends.Stdout, ends.Stderr));
        }

        void OnFailed(string reason)
        {
            ring.Unmap();
            _ = Libc.Close(ends.Socket);
            _ = Libc.Close(ends.Stdout);
            _ = Libc.Close(ends.Stderr);
            pool.OnForkRefused($"it could not be started: {reason}");
        }
    }

    private void Start(OwnerPool pool, string[] arguments, ReadOnlySpan<int> descriptors, Action<int> started, Action<string> failed, Action<int> exited)
    {
        var environment = node.Environment.ForWorkers;
        var python = Spawn.Find(node.Settings.Python, environment) ?? node.Settings.Python;
        var request = new SpawnRequest
        {
            Program = python,
            Arguments = [python, Script, .. arguments],
            Environment = environment,
            Directory = pool.Directory,
        };
        spawner.Request(request, descriptors, pid =>
        {
            if (pid > 0)
                started(pid);
            else
                failed($"{python}: {Marshal.GetPInvokeErrorMessage(-pid)}");
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
