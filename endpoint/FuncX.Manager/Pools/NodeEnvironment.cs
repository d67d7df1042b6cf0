using System.Collections;
using System.Runtime.InteropServices;
using System.Text;
using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;
using FuncX.Manager.Workers;

namespace FuncX.Manager.Pools;

/// <summary>
/// The environment of zygotes and workers: this process's own without anything of FuncX or of an MPI launcher, after the site's <c>workers.init</c> has run once in
/// bash on this node, and with thread counts that fit the cores of a worker.
/// </summary>
internal sealed unsafe class NodeEnvironment(Node node, Spawner spawner)
{
    /// <summary>How this process wants its own sockets served; no business of a .NET program that a user's function starts.</summary>
    internal const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>The umask that the endpoint was started with, octal: this process has a stricter one for its own files, workers get the user's.</summary>
    internal const string Umask = "FUNCX_UMASK";

    private const int OutputKept = 64 * 1024;

    private readonly StartWatch _start = new(node);
    private List<string>? _forWorkers;
    private OutputCapture? _output;
    private bool _running;
    private bool _hung;
    private int _pid;

    /// <summary>True when <see cref="ForWorkers"/> can be read.</summary>
    public bool Ready
    {
        get
        {
            if (_forWorkers is null && string.IsNullOrWhiteSpace(node.Settings.Init))
                _forWorkers = Finish(Own());
            return _forWorkers is not null;
        }
    }

    public IReadOnlyList<string> ForWorkers => _forWorkers ?? throw new InvalidOperationException("workers.init has not run yet");

    /// <summary>The value of a variable, or nothing.</summary>
    public static string Value(IReadOnlyList<string> environment, string name)
    {
        foreach (var variable in environment)
        {
            if (variable.StartsWith(name, StringComparison.Ordinal) && variable.Length > name.Length && variable[name.Length] == '=')
                return variable[(name.Length + 1)..];
        }

        return "";
    }

    /// <summary>Runs <c>workers.init</c>; every pool is touched when it has ended.</summary>
    public void Prepare()
    {
        if (_running)
            return;
        _running = true;
        var pipes = stackalloc int[4];
        if (Libc.Pipe2(pipes, Libc.O_CLOEXEC) < 0 || Libc.Pipe2(pipes + 2, Libc.O_CLOEXEC) < 0)
            throw new InvalidOperationException($"pipe2 failed: {Libc.LastError()}");
        var output = new OutputCapture(node.Poller, pipes[0], OutputKept);
        var variables = new OutputCapture(node.Poller, pipes[2], SpawnerProgram.MaxMessage);
        var nothing = Libc.Open("/dev/null", Libc.O_RDWR | Libc.O_CLOEXEC);
        var script = Script();
        var request = new SpawnRequest
        {
            Program = "/bin/bash",
            Arguments = ["bash", "/dev/fd/4"],
            Environment = [.. Own(), .. Lines(WorkerVariables.OfFiles(node.Staging.Directory))],
            Directory = node.Directory,
        };
        _output = output;
        _hung = false;
        _pid = 0;
        _start.Begin();
        spawner.Request(request, [nothing, pipes[1], pipes[1], pipes[3], script], pid =>
        {
            _pid = pid;
            if (pid < 0)
                OnEnd($"could not be started on node {node.Name}: {request.Program}: {Marshal.GetPInvokeErrorMessage(-pid)}");
        }, code => OnEnd(code == 0 ? null : _hung ? $"had not ended on node {node.Name} after {node.StartLimitMicroseconds / 1_000_000} s and was ended" : $"failed on node {node.Name}, {ExitText.Of(code)}"));
        _ = Libc.Close(nothing);
        _ = Libc.Close(script);
        _ = Libc.Close(pipes[1]);
        _ = Libc.Close(pipes[3]);

        void OnEnd(string? problem)
        {
            output.Drain();
            variables.Drain();
            _running = false;
            _start.End();
            var text = Encoding.UTF8.GetString(variables.Take());
            var said = output.Tail(4000);
            output.Close();
            variables.Close();
            if (problem is null && text.Length == 0)
                problem = $"ended on node {node.Name} before its last line";
            if (problem is null)
                _forWorkers = Finish([.. text.Split('\0', StringSplitOptions.RemoveEmptyEntries)]);
            node.OnEnvironment(problem is null ? null : $"workers.init {problem}{(said.Length > 0 ? $": {said}" : ", without a word")}");
        }
    }

    /// <summary>Ends <c>workers.init</c> when it hangs; says when to ask again.</summary>
    public long OnTimer(long now)
    {
        if (_hung)
            return long.MaxValue;
        if (!_start.Hangs(now, () => ("workers.init", Words()), out var due))
            return due;
        if (_pid <= 1)
            return now + 1_000_000;
        _hung = true;
        _ = Libc.Kill(-_pid, Libc.SIGKILL);
        return long.MaxValue;
    }

    private string Words()
    {
        _output!.Drain();
        return _output.Tail(2000);
    }

    // As a descriptor: what stands in an argument list everybody on the node can read.
    private int Script()
    {
        var text = Encoding.UTF8.GetBytes($"exec 4<&-; {node.Settings.Init}\nfuncx_status=$?\n[ $funcx_status -eq 0 ] || exit $funcx_status\nexec env -0 >&3\n");
        var script = Libc.MemFdCreate("workers.init", Libc.MFD_CLOEXEC);
        fixed (byte* bytes = text)
        {
            if (script < 0 || Libc.Write(script, bytes, (nuint)text.Length) != text.Length)
                throw new InvalidOperationException($"writing workers.init to memory failed: {Libc.LastError()}");
        }

        return script;
    }

    private static List<string> Own()
    {
        var environment = new List<string>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var name = (string)variable.Key;
            if (!name.StartsWith("FUNCX_", StringComparison.Ordinal) && name != InlineCompletions && !LauncherVariables.Has(name))
                environment.Add($"{variable.Key}={variable.Value}");
        }

        return environment;
    }

    private List<string> Finish(List<string> environment)
    {
        environment.RemoveAll(variable => variable.StartsWith("FUNCX_", StringComparison.Ordinal) || variable.StartsWith("funcx_status=", StringComparison.Ordinal));
        foreach (var name in WorkerVariables.ThreadCounts)
            environment.RemoveAll(variable => variable.StartsWith(name + "=", StringComparison.Ordinal));
        environment.AddRange(Lines(WorkerVariables.OfNode(node.Name, node.Settings.CoresPerWorker, node.Staging.Directory)));
        return environment;
    }

    private static IEnumerable<string> Lines(IEnumerable<KeyValuePair<string, string>> variables) => variables.Select(static variable => $"{variable.Key}={variable.Value}");
}
