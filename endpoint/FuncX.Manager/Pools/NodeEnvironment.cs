using System.Collections;
using System.Globalization;
using System.Text;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;
using FuncX.Manager.Workers;

namespace FuncX.Manager.Pools;

/// <summary>
/// The environment of zygotes and workers: this process's own without anything of FuncX, after the site's <c>workers.init</c> has run once in
/// bash on this node, and with thread counts that fit the cores of a worker.
/// </summary>
internal sealed unsafe class NodeEnvironment(Node node, Spawner spawner)
{
    /// <summary>How this process wants its own sockets served; no business of a .NET program that a user's function starts.</summary>
    internal const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    private const int OutputKept = 64 * 1024;
    private static readonly string[] s_threadCounts = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"];

    private List<string>? _forWorkers;
    private bool _running;

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
        var request = new SpawnRequest
        {
            Program = "/bin/bash",
            Arguments = ["bash", "-c", $"{node.Settings.Init}\nfuncx_status=$?\n[ $funcx_status -eq 0 ] || exit $funcx_status\nexec env -0 >&3"],
            Environment = Own(),
            Directory = node.Directory,
        };
        spawner.Request(request, [nothing, pipes[1], pipes[1], pipes[3]], pid =>
        {
            if (pid < 0)
                OnEnd(127);
        }, OnEnd);
        _ = Libc.Close(nothing);
        _ = Libc.Close(pipes[1]);
        _ = Libc.Close(pipes[3]);

        void OnEnd(int code)
        {
            output.Drain();
            variables.Drain();
            _running = false;
            var text = Encoding.UTF8.GetString(variables.Take());
            var said = output.Tail(4000);
            output.Close();
            variables.Close();
            if (code == 0 && text.Length > 0)
                _forWorkers = Finish([.. text.Split('\0', StringSplitOptions.RemoveEmptyEntries)]);
            node.OnEnvironment(code == 0 && text.Length > 0
                ? null
                : $"workers.init failed on node {node.Name}, {ExitText.Of(code)}{(said.Length > 0 ? $": {said}" : ", without a word")}");
        }
    }

    private static List<string> Own()
    {
        var environment = new List<string>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var name = (string)variable.Key;
            if (!name.StartsWith("FUNCX_", StringComparison.Ordinal) && name != InlineCompletions)
                environment.Add($"{variable.Key}={variable.Value}");
        }

        return environment;
    }

    private List<string> Finish(List<string> environment)
    {
        environment.RemoveAll(variable => variable.StartsWith("FUNCX_", StringComparison.Ordinal) || variable.StartsWith("funcx_status=", StringComparison.Ordinal));
        foreach (var name in s_threadCounts)
        {
            environment.RemoveAll(variable => variable.StartsWith(name + "=", StringComparison.Ordinal));
            environment.Add($"{name}={node.Settings.CoresPerWorker.ToString(CultureInfo.InvariantCulture)}");
        }

        environment.Add("FUNCX_NODE=" + node.Name);
        return environment;
    }
}
