using System.Text;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;
using FuncX.Manager.Workers;

namespace FuncX.Manager.Pools;

/// <summary>
/// Which runtimes this node has, and in which version, and what each worker has of the node, for functions that ask for some: found out once, when the endpoint wants to know, in the
/// environment that workers get. Owned by the engine's turn.
/// </summary>
internal sealed unsafe class NodeRuntimes(Node node, Spawner spawner)
{
    private const int OutputKept = 256;
    private const long PatienceMicroseconds = 30_000_000;
    private const long AgainMicroseconds = 30_000_000;

    private readonly Dictionary<string, string> _versions = new(StringComparer.Ordinal);
    private readonly HashSet<int> _running = [];
    private bool _asked;
    private bool _begun;
    private int _left;
    private long _endAt = long.MaxValue;
    private long _againAt = long.MaxValue;
    private bool _isInDoubt;

    /// <summary>Version by runtime, and the worker's cores, memory and accelerators; null until they are known.</summary>
    public IReadOnlyDictionary<string, string>? Versions { get; private set; }

    /// <summary>The endpoint wants to know.</summary>
    public void Ask()
    {
        _asked = true;
        if (Versions is not null)
            node.TellStatus();
        else if (node.Environment.Ready)
            Begin();
        else
            node.Environment.Prepare();
    }

    /// <summary>workers.init has ended; without its environment there is no runtime.</summary>
    public void OnEnvironment(bool isReady)
    {
        if (!_asked || _begun)
            return;
        if (isReady)
            Begin();
        else
            Finish();
    }

    /// <summary>Ends what does not answer; says when to ask again.</summary>
    public long OnTimer(long now)
    {
        if (now >= _againAt)
        {
            _againAt = long.MaxValue;
            Begin();
        }

        if (now >= _endAt)
        {
            _endAt = long.MaxValue;
            _isInDoubt = true;
            foreach (var pid in _running)
                _ = Libc.Kill(-pid, Libc.SIGKILL);
        }

        return Math.Min(_endAt, _againAt);
    }

    private void Begin()
    {
        if (_begun)
            return;
        _begun = true;
        _isInDoubt = false;
        var now = NodeTimer.Now;
        _endAt = now + PatienceMicroseconds;
        node.Arm(_endAt, now);
        _left = 1;
        if (node.Starter.PythonVersion() is { } python)
            Run("python", python);
        if (node.Starter.DotnetVersion() is { } dotnet)
            Run("dotnet", dotnet);
        Ended();
    }

    private void Run(string runtime, string[] command)
    {
        _left++;
        var pipe = stackalloc int[2];
        if (Libc.Pipe2(pipe, Libc.O_CLOEXEC) < 0)
            throw new InvalidOperationException($"pipe2 failed: {Libc.LastError()}");
        var output = new OutputCapture(node.Poller, pipe[0], OutputKept);
        var nothing = Libc.Open("/dev/null", Libc.O_RDWR | Libc.O_CLOEXEC);
        var started = 0;
        var request = new SpawnRequest { Program = command[0], Arguments = command, Environment = node.Environment.ForWorkers, Directory = node.Directory };
        spawner.Request(
            request,
            [nothing, pipe[1], nothing],
            pid =>
            {
                if (pid > 0)
                    _running.Add(started = pid);
                else
                {
                    _isInDoubt = true;
                    OnEnd(pid);
                }
            },
            OnEnd);
        _ = Libc.Close(nothing);
        _ = Libc.Close(pipe[1]);

        void OnEnd(int code)
        {
            _running.Remove(started);
            output.Drain();
            var version = Encoding.UTF8.GetString(output.Take()).Trim();
            output.Close();
            if (code == 0 && version.Length > 0)
                _versions[runtime] = version;
            Ended();
        }
    }

    private void Ended()
    {
        if (--_left > 0)
            return;
        if (!_isInDoubt)
        {
            foreach (var (name, value) in WorkerShare.Of(node.Settings, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes))
                _versions[name] = value;
            Finish();
            return;
        }

        // A file system that a thousand nodes read from at once, a moment without room for a process: that says nothing of what the node has.
        _begun = false;
        _endAt = long.MaxValue;
        var now = NodeTimer.Now;
        _againAt = now + AgainMicroseconds;
        node.Arm(_againAt, now);
    }

    private void Finish()
    {
        _endAt = long.MaxValue;
        Versions = _versions;
        node.TellStatus();
    }
}
