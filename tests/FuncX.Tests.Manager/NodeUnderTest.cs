using System.Diagnostics;
using FuncX.Wire;
using Shouldly;

namespace FuncX.Tests.Manager;

/// <summary>A real manager with real Python workers against an endpoint's stand-in, in a directory of its own. Disposing checks that nothing is left.</summary>
internal sealed class NodeUnderTest : IDisposable
{
    public const string Source = """
        import ctypes, os, signal, subprocess, sys, threading, time
        def echo(x): return x
        def pid(): return os.getpid()
        def zygote(): return os.getppid()
        def nap(s):
            time.sleep(s)
            return s
        def begin(path, name, *args):
            open(path, "w").close()
            return globals()[name](*args)
        def nap_then_pid(s):
            time.sleep(s)
            return os.getpid()
        def crash(): os.kill(os.getpid(), signal.SIGSEGV)
        def leave(code): os._exit(code)
        def raw(text):
            os.write(1, text.encode())
            subprocess.run(["sh", "-c", "echo from-child; echo oops >&2"])
            return len(text)
        def echo_and_big(n):
            os.system("echo raw-out")
            return "y" * n
        def print_and_raw(printed, raw, value):
            sys.stdout.write("p" * printed)
            os.write(1, b"r" * raw)
            return "y" * value
        def flood(n):
            os.write(1, b"x" * n)
            return n
        def stubborn(s):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(s)
        def told_to_end(folder, raises):
            def told(number, frame):
                open(folder + "/told", "w").close()
                # A task that ends takes its children with it at once.
                for _ in range(150 if raises else 0):
                    if os.path.exists(folder + "/child-told"): break
                    time.sleep(0.01)
                if raises: raise InterruptedError("told to end")
            signal.signal(signal.SIGTERM, told)
            # A child in the same process group that outlives SIGTERM, but says that it came.
            subprocess.Popen(["sh", "-c", 'trap ": > $0/child-told" TERM; echo $$ > $0/child.new; mv $0/child.new $0/child; while :; do sleep 1000; done', folder])
            while True: time.sleep(1000)
        def wait_for(path, value):
            while path and not os.path.exists(path): time.sleep(0.002)
            return value
        def child():
            p = subprocess.Popen(["sleep", "1000"])
            return p.pid
        def big(n): return "y" * n
        def length(x): return len(x)
        def variable(name): return os.environ.get(name)
        def where(): return os.getcwd()
        def environment(): return sorted(os.environ)
        def created(path):
            open(path, "w").close()
            return oct(os.stat(path).st_mode & 0o777)
        def loaded(name): return name in sys.modules
        calls = 0
        def count():
            global calls
            calls += 1
            return calls
        def nap_then_note(s, path):
            time.sleep(s)
            note(path, "done")
            return s
        def mpi_size(library):
            # In a process of its own: this one goes on to serve others.
            code = "import ctypes; m = ctypes.CDLL('%s', ctypes.RTLD_GLOBAL); m.MPI_Init(None, None); n = ctypes.c_int(); " \
                "w = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(m, 'ompi_mpi_comm_world'))) if 'so.40' in '%s' else ctypes.c_int(0x44000000); " \
                "m.MPI_Comm_size(w, ctypes.byref(n)); print(n.value); m.MPI_Finalize()" % (library, library)
            return int(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, timeout=30).stdout.split()[-1])
        def note(path, text):
            with open(path, "a") as f: f.write(text + "\n")
            return text
        """;

    private readonly List<string> _said = [];
    private readonly BatchId _batch = BatchId.New(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
    private readonly Dictionary<string, uint> _functions = [];
    private uint _next;

    public NodeUnderTest(object? workers = null, double patience = 30, int heartbeatMs = 1000, string? failPoint = null, double startLimit = 60, string? umask = null,
        int? walltime = null)
        : this(_ => workers ?? Settings(), patience, heartbeatMs, failPoint, startLimit, umask, walltime: walltime)
    {
    }

    /// <param name="workers">The settings for a node in this folder.</param>
    /// <param name="before">Done before the manager starts.</param>
    public NodeUnderTest(Func<string, object> workers, double patience = 30, int heartbeatMs = 1000, string? failPoint = null, double startLimit = 60, string? umask = null,
        Action<EndpointStandIn>? before = null, int? walltime = null)
    {
        Folder = Path.Combine(Path.GetTempPath(), $"funcx-manager-test-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Endpoint = new EndpointStandIn(Folder, workers(Folder)) { HeartbeatMs = heartbeatMs };
        before?.Invoke(Endpoint);
        var start = new ProcessStartInfo(ProgramUnderTest.Manager)
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            ArgumentList = { "--rendezvous", Endpoint.RendezvousFile, "--node", "node1", "--directory", Path.Combine(Folder, "node1"), "--patience", patience.ToString(), "--start-limit", startLimit.ToString() },
        };
        if (walltime is { } seconds)
        {
            start.ArgumentList.Add("--walltime");
            start.ArgumentList.Add(seconds.ToString());
        }

        start.Environment["FUNCX_TEST_SECRET"] = "must not be seen";
        start.Environment["CLOUD_KEY"] = "of the account";
        if (failPoint is not null)
            start.Environment["FUNCX_FAILPOINT"] = failPoint;
        if (umask is not null)
            start.Environment["FUNCX_UMASK"] = umask;
        Process = Process.Start(start)!;
        Process.ErrorDataReceived += (_, line) =>
        {
            lock (_said)
                _said.Add(line.Data ?? "");
        };
        Process.BeginErrorReadLine();
    }

    public string Folder { get; }

    public EndpointStandIn Endpoint { get; }

    public Process Process { get; }

    public string Said
    {
        get
        {
            lock (_said)
                return string.Join('\n', _said);
        }
    }

    /// <summary>The notes of all statuses so far.</summary>
    public string Notes => string.Join('\n', Endpoint.Statuses.Select(static status => status.RootElement.GetProperty("note").GetString()));

    /// <summary>Writes a file into the node's folder.</summary>
    public string Write(string name, string text, bool executable = false)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        if (executable)
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    public static object Settings(int perNode = 2, string? init = null, string python = "/usr/bin/python3", long idleMs = 60_000, long outputLimit = 1 << 20, string isolation = "fork", long walltimeMs = 0, string[]? preload = null) =>
        new { per_node = perNode, cores_per_worker = 3, init, python, preload = preload ?? [], isolation, idle_ms = idleMs, prefetch = (int?)null, output_limit = outputLimit, result_limit = 100 << 20, walltime_ms = walltimeMs };

    /// <summary>Waits for the manager and tells it two owners.</summary>
    public NodeUnderTest Ready()
    {
        Eventually(() => Endpoint.Connected, "the manager connects");
        Endpoint.Owner(1, "ada");
        Endpoint.Owner(2, "bob");
        return this;
    }

    public TaskId NewId() => new(_batch, _next++);

    public uint Function(string name)
    {
        if (!_functions.TryGetValue(name, out var number))
        {
            number = (uint)_functions.Count + 1;
            _functions[name] = number;
            Endpoint.Function(number, name, Source);
        }

        return number;
    }

    /// <summary>A function that runs a command.</summary>
    /// <param name="definition">As it is registered.</param>
    public TaskId SubmitCommand(string definition)
    {
        var number = (uint)_functions.Count + 1;
        _functions[definition] = number;
        Endpoint.Function(number, "command", definition, "command");
        var id = NewId();
        Endpoint.Task(id, number, 1, "[]");
        return id;
    }

    /// <summary>Sends SIGTERM to one process after the other, with nothing in between.</summary>
    public static void Terminate(params int[] processes)
    {
        using var kill = Process.Start("kill", ["-TERM", .. processes.Select(static pid => pid.ToString())]);
        kill.WaitForExit();
    }

    /// <summary>After a reconnect the manager must be told again.</summary>
    public void ForgetFunctions() => _functions.Clear();

    public TaskId Submit(string function, string arguments = "[]", uint owner = 1, Action<EndpointStandIn.Tweak>? tweak = null)
    {
        var id = NewId();
        Endpoint.Task(id, Function(function), owner, arguments, tweak);
        return id;
    }

    /// <summary>Submits a task and waits until a worker runs it.</summary>
    /// <param name="seconds">The function's argument.</param>
    public TaskId Start(string function, string seconds, uint owner = 1)
    {
        var begun = Path.Combine(Folder, $"begun-{_next}");
        var id = Submit("begin", $"[\"{begun}\",\"{function}\",{seconds}]", owner);
        Eventually(() => File.Exists(begun), $"task {id} to run");
        return id;
    }

    public EndpointStandIn.Answer Result(TaskId id, double seconds = 20)
    {
        Eventually(() => Endpoint.First(id) is not null, $"a result of task {id}", seconds);
        return Endpoint.First(id)!;
    }

    public EndpointStandIn.Answer Run(string function, string arguments = "[]", uint owner = 1) => Result(Submit(function, arguments, owner));

    public void Eventually(Func<bool> condition, string what, double seconds = 20)
    {
        var stop = Stopwatch.StartNew();
        while (!condition())
        {
            if (stop.Elapsed.TotalSeconds > seconds)
                throw new TimeoutException($"waited {seconds} s for {what}; exited: {Process.HasExited}; the manager said: {Said}");
            Thread.Sleep(2);
        }
    }

    /// <summary>Living processes that belong to this test: their environment or arguments name its folder.</summary>
    public List<int> Left() => ProcessesIn(Folder);

    /// <summary>Living processes whose working directory lies in a folder.</summary>
    public static List<int> ProcessesIn(string folder)
    {
        var left = new List<int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), out var pid))
                continue;
            try
            {
                var cwd = new FileInfo(Path.Combine(directory, "cwd")).LinkTarget;
                if (cwd is not null && cwd.StartsWith(folder, StringComparison.Ordinal))
                    left.Add(pid);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // Gone meanwhile.
            }
        }

        return left;
    }

    public void Dispose()
    {
        try
        {
            if (!Process.HasExited)
            {
                Terminate(Process.Id);
                if (!Process.WaitForExit(12_000))
                {
                    Process.Kill();
                    throw new TimeoutException($"the manager did not end on SIGTERM: {Said}");
                }
            }

            Eventually(() => Left().Count == 0, "no process left");
        }
        finally
        {
            Endpoint.Dispose();
            Process.Dispose();
            Directory.Delete(Folder, recursive: true);
        }

        Said.ShouldNotContain("Exception");
    }
}
