using System.Text;

namespace FuncX.Tests.Integration.Outcomes;

/// <summary>One way to end for one kind of function: what is called, and how the service says it ended.</summary>
/// <param name="Kind"><c>python</c>, <c>command</c> or <c>dotnet</c>.</param>
/// <param name="Code">Python: a module that defines <c>f</c>; command: its definition; .NET: the method.</param>
/// <param name="Arguments">JSON.</param>
/// <param name="Outcome">What the service calls it.</param>
/// <param name="Contains">A part of the value or of the failure.</param>
public sealed record Ending(string Kind, string Code, string Arguments, Outcome Outcome, string Contains)
{
    /// <summary>A part of what was captured of stdout, when that matters.</summary>
    public string Output { get; init; } = "";

    public uint WalltimeMs { get; init; }

    /// <summary>What its function requires of a node.</summary>
    public string Requires { get; init; } = "";

    /// <summary>It runs in a container.</summary>
    public bool InContainer { get; init; }

    /// <summary>At least so large, when that matters.</summary>
    public int Bytes { get; init; }

    /// <summary>Exit status, or minus the signal, of the worker that died.</summary>
    public int? Code2 { get; init; }
}

/// <summary>Kind x way to end. tests/README.md shows it; a test compares the two.</summary>
public static class OutcomeTable
{
    private static string Sh(string script, string more = "") => $$"""{"command": {{System.Text.Json.JsonSerializer.Serialize(script)}}, "shell": true{{more}}}""";

    public static IReadOnlyList<(string Way, Ending?[] Endings)> Rows { get; } =
    [
        ("value", [
            new("python", "def f(x):\n    return x * x\n", "[7]", Outcome.Value, "49"),
            new("command", """{"command": ["echo", "got {x}"]}""", "[7]", Outcome.Value, """{"returncode":0,"stdout":"got 7\n","stderr":""}"""),
            new("dotnet", "Square", "[7]", Outcome.Value, "56"),
        ]),
        ("exception", [
            new("python", "def f():\n    print('before')\n    raise ValueError('no 3')\n", "[]", Outcome.Exception, "ValueError") { Output = "before" },
            new("command", """{"command": ["sh", "-c", "echo before; echo no 3 >&2; exit 3"], "check": true}""", "[]", Outcome.Exception, "ended with return code 3: no 3") { Output = "before" },
            new("dotnet", "Fail", "[3]", Outcome.Exception, "at FuncX.Tests.Functions.Calls.Fail(Int32 x)") { Output = "before 3" },
        ]),
        ("`SystemExit`", [
            new("python", "import sys\ndef f():\n    sys.exit(3)\n", "[]", Outcome.Exception, "SystemExit"),
            new("command", Sh("exit 3"), "[]", Outcome.Value, "\"returncode\":3"),
            null,
        ]),
        ("`os._exit`, `Environment.Exit`", [
            new("python", "import os\ndef f():\n    os._exit(3)\n", "[]", Outcome.Lost, "exit status 3"),
            null,
            new("dotnet", "Exit", "[]", Outcome.Lost, "exit status 3"),
        ]),
        ("segmentation fault", [
            new("python", "import ctypes\ndef f():\n    ctypes.string_at(0)\n", "[]", Outcome.Lost, "signal 11") { Code2 = -11 },
            new("command", Sh("kill -SEGV $$"), "[]", Outcome.Value, "\"returncode\":-11"),
            new("dotnet", "Crash", "[]", Outcome.Lost, "signal 11") { Code2 = -11 },
        ]),
        ("abort", [
            new("python", "import os\ndef f():\n    os.abort()\n", "[]", Outcome.Lost, "signal 6") { Code2 = -6 },
            new("command", Sh("kill -ABRT $$"), "[]", Outcome.Value, "\"returncode\":-6"),
            new("dotnet", "Abort", "[]", Outcome.Lost, "signal 6") { Code2 = -6 },
        ]),
        ("more memory than `workers.memory_per_worker`", [
            new("python", "def f():\n    return len(b'x' * 1_300_000_000)\n", "[]", Outcome.Exception, "workers.memory_per_worker is 1073741824 bytes"),
            new("command", Sh("echo begun; head -c 1300000000 /dev/zero | tail -c 1299999999 >/dev/null"), "[]", Outcome.Exception, "workers.memory_per_worker is 1073741824 bytes") { Output = "begun" },
            new("dotnet", "Hungry", "[1300000000]", Outcome.Exception, "workers.memory_per_worker is 1073741824 bytes"),
        ]),
        ("infinite loop past the task's walltime", [
            new("python", "def f():\n    while True:\n        pass\n", "[]", Outcome.TimedOut, "walltime") { WalltimeMs = 500 },
            new("command", Sh("echo begun; while :; do :; done"), "[]", Outcome.TimedOut, "walltime") { WalltimeMs = 500, Output = "begun" },
            new("dotnet", "Spin", "[]", Outcome.TimedOut, "walltime") { WalltimeMs = 1500 },
        ]),
        ("past the function's own `walltime`", [
            null,
            new("command", Sh("echo begun; while :; do :; done", ", \"walltime\": 0.3"), "[]", Outcome.Value, "\"returncode\":124,\"stdout\":\"begun\\n\""),
            null,
        ]),
        ("unserialisable result", [
            new("python", "import threading\ndef f():\n    return threading.Lock()\n", "[]", Outcome.Exception, "lock"),
            new("command", Sh("printf 'a\\377b'"), "[]", Outcome.Value, "\"stdout\":\"a\\uFFFDb\""),
            new("dotnet", "Cycle", "[]", Outcome.Exception, "UnserialisableResult"),
        ]),
        ("result of 100 MB", [
            new("python", "def f():\n    return 'x' * 100_000_000\n", "[]", Outcome.Value, "xxx") { Bytes = 100_000_002 },
            new("command", Sh("head -c 100000000 /dev/zero | tr '\\000' x > large", ", \"outputs\": [\"large\"]"), "[]", Outcome.Value, "xxx") { Bytes = 100_000_000 },
            new("dotnet", "Large", "[100000000]", Outcome.Value, "xxx") { Bytes = 100_000_002 },
        ]),
        ("result above `limits.result`", [
            new("python", "def f():\n    return 'x' * 120_000_000\n", "[]", Outcome.TooLarge, "limits.result"),
            new("command", Sh("head -c 120000000 /dev/zero > large", ", \"outputs\": [\"large\"]"), "[]", Outcome.TooLarge, "limits.result"),
            new("dotnet", "Large", "[120000000]", Outcome.TooLarge, "limits.result"),
        ]),
        ("output flood", [
            new("python", "def f():\n    for i in range(100_000):\n        print('a line of the flood, and what stands in it')\n    return 'over'\n", "[]", Outcome.Value, "over") { Output = "bytes of output were cut" },
            new("command", Sh("yes | head -c 4000000"), "[]", Outcome.Value, "\"stdout_bytes\":4000000"),
            new("dotnet", "Flood", "[100000]", Outcome.Value, "100000") { Output = "more bytes of output were cut" },
        ]),
        ("closing of its own descriptors", [
            new("python", "import os\ndef f():\n    os.closerange(3, 1024)\n    return 1\n", "[]", Outcome.Value, "1"),
            new("command", Sh("exec >&- 2>&- <&-; exit 0"), "[]", Outcome.Value, "\"returncode\":0"),
            new("dotnet", "CloseAll", "[]", Outcome.Lost, "died"),
        ]),
        ("fork inside the function", [
            new("python", "import os\ndef f():\n    return 1 if os.fork() else 2\n", "[]", Outcome.Value, "1"),
            new("command", Sh("(sleep 0.01; echo child) & wait; echo parent"), "[]", Outcome.Value, "child\\nparent"),
            new("dotnet", "Fork", "[]", Outcome.Value, "1"),
        ]),
        ("child processes left behind", [
            new("python", "import subprocess\ndef f():\n    return subprocess.Popen(['sleep', '601']).pid\n", "[]", Outcome.Value, ""),
            new("command", Sh("sleep 601 & setsid sleep 601 & echo done"), "[]", Outcome.Value, "\"left_behind\":2"),
            new("dotnet", "LeaveChild", "[]", Outcome.Value, ""),
        ]),
        ("a runtime requirement that no node meets", [
            new("python", "def f():\n    return 1\n", "[]", Outcome.Rejected, "has dotnet ") { Requires = "python>=3.99" },
            new("command", """{"command": ["true"]}""", "[]", Outcome.Rejected, "no manager of this endpoint has it") { Requires = "python>=3.99" },
            new("dotnet", "Square", "[7]", Outcome.Rejected, "no manager of this endpoint has it") { Requires = "dotnet>=99" },
        ]),
        ("one that they meet", [
            new("python", "def f():\n    return 1\n", "[]", Outcome.Value, "1") { Requires = "python>=3.9,<4" },
            new("command", """{"command": ["true"]}""", "[]", Outcome.Value, "\"returncode\":0") { Requires = "python!=2.*" },
            new("dotnet", "Square", "[7]", Outcome.Value, "56") { Requires = "dotnet>=10" },
        ]),
        ("a container, where there are none", [
            new("python", "def f():\n    return 1\n", "[]", Outcome.Rejected, "The function runs in container ") { InContainer = true },
            new("command", """{"command": ["true"]}""", "[]", Outcome.Rejected, ", for apptainer, docker), and endpoint ") { InContainer = true },
            new("dotnet", "Square", "[7]", Outcome.Rejected, "containers.runtime is none") { InContainer = true },
        ]),
        ("a missing module, program or assembly", [
            new("python", "import not_there\ndef f():\n    return 1\n", "[]", Outcome.Exception, "ModuleNotFoundError"),
            new("command", """{"command": ["not-there"]}""", "[]", Outcome.Exception, "CommandNotFound"),
            new("dotnet", "Missing", "[]", Outcome.Exception, "Not.There"),
        ]),
    ];

    /// <summary>The table as tests/README.md has it.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder("| way to end | python | command | dotnet |\n|---|---|---|---|\n");
        foreach (var (way, endings) in Rows)
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"| {way} | {string.Join(" | ", endings.Select(Cell))} |\n");
        return text.ToString();
    }

    private static string Cell(Ending? ending)
    {
        if (ending is null)
            return "";
        var outcome = ending.Outcome switch { Outcome.TimedOut => "timed out", Outcome.TooLarge => "too large", var other => other.ToString().ToLowerInvariant() };
        return ending.Contains.Length > 0 ? $"{outcome}: `{ending.Contains.Replace("|", "\\|", StringComparison.Ordinal)}`" : outcome;
    }
}
