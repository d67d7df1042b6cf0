using System.Globalization;
using System.Text.Json.Serialization;
using FuncX.Manager.Interop;
using FuncX.Manager.World.Broadcast;
using FuncX.Wire;

namespace FuncX.Manager.Link;

/// <summary>The rendezvous file: where the endpoint listens and what both sides prove themselves with.</summary>
internal sealed record Rendezvous
{
    public string[] Addresses { get; init; } = [];

    /// <summary>SHA-256 of the endpoint's certificate, hexadecimal.</summary>
    public string Fingerprint { get; init; } = "";

    public string Secret { get; init; } = "";

    public string Block { get; init; } = "";
}

/// <summary>What a manager, a worker or a zygote says first; each fills in its own fields.</summary>
internal sealed record Hello
{
    public string Role { get; init; } = "";

    public string Version { get; init; } = "";

    public int ProtocolMinimum { get; init; }

    public int ProtocolMaximum { get; init; }

    public int Pid { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Secret { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Block { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Manager { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Node { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Runtime { get; init; }

    /// <summary>How many tasks a worker can be sent ahead.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Window { get; init; }

    /// <summary>For how long a manager can run tasks from now on, before it ends with its job; 0: nobody knows.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long EndsInMs { get; init; }

    /// <summary>A worker uses the result ring it was handed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Ring { get; init; }
}

/// <summary>The endpoint's answer.</summary>
internal sealed record Welcome
{
    public string Version { get; init; } = "";

    public int Protocol { get; init; }

    public uint Number { get; init; }

    public int HeartbeatMs { get; init; } = 5000;

    public WorkerSettings Workers { get; init; } = new();

    /// <summary>For an agent.</summary>
    public BlockSettings? Block { get; init; }

    /// <summary>For a manager and for a leader; null: no files.</summary>
    public StageSettings? Stage { get; init; }
}

/// <summary>The files that a node has before it takes work; those of the first welcome hold.</summary>
internal sealed record StageSettings
{
    public string[] Files { get; init; } = [];

    /// <summary>Where they are kept on a node; empty: in the manager's own directory.</summary>
    public string Cache { get; init; } = "";

    /// <summary>Most bytes there; 0: no limit.</summary>
    public long CacheBytes { get; init; }

    /// <summary>The cache's directory for a manager with this directory. Users who name the same cache have each their own.</summary>
    public string RootFor(string directory) =>
        string.IsNullOrEmpty(Cache) ? Path.Combine(directory, "stage") : Path.Combine(Cache, string.Create(CultureInfo.InvariantCulture, $"stage-{FileOwnership.CurrentUser}"));
}

/// <summary>How the worlds of a block are launched.</summary>
internal sealed record BlockSettings
{
    /// <summary>As <c>launcher.type</c>.</summary>
    public string Launcher { get; init; } = "detect";

    public int RanksPerWorld { get; init; } = 128;

    public string[] Arguments { get; init; } = [];

    /// <summary>The leader of a world of two ranks or more has no workers.</summary>
    public bool LeaderOnly { get; init; }
}

/// <summary>How the worlds of a block do.</summary>
internal sealed record AgentStatus(int WorldsRunning, int WorldsWaiting, string[] NodesGivenUp, string Note);

/// <summary>The endpoint's configuration as a manager needs it; that of the first welcome holds for the manager's life.</summary>
internal sealed record WorkerSettings
{
    public int PerNode { get; init; } = 1;

    public int CoresPerWorker { get; init; } = 1;

    /// <summary>Bytes of one worker with all it starts; 0: no limit.</summary>
    public long MemoryPerWorker { get; init; }

    /// <summary>Bash text that runs once per node; its environment is what workers get.</summary>
    public string? Init { get; init; }

    public string Python { get; init; } = "python3";

    public string[] Preload { get; init; } = [];

    /// <summary><c>none</c>, <c>block</c> or <c>alternating</c>.</summary>
    public string CpuAffinity { get; init; } = "none";

    /// <summary>Devices of a node, as the libraries that use them name them.</summary>
    public string[] Accelerators { get; init; } = [];

    /// <summary><c>fork</c>, <c>spawn</c> or <c>per_task</c>.</summary>
    public string Isolation { get; init; } = "fork";

    /// <summary>Where the output of commands with <c>keep_output</c> stays; empty: in the node's directory.</summary>
    public string Kept { get; init; } = "";

    public long IdleMs { get; init; } = 600_000;

    /// <summary>Most bytes of stdout and of stderr of one task.</summary>
    public long OutputLimit { get; init; } = 1 << 20;

    /// <summary>Most bytes of one result.</summary>
    public long ResultLimit { get; init; } = 10L << 30;

    /// <summary>Most milliseconds of one task; 0: no limit but the task's own.</summary>
    public long WalltimeMs { get; init; }

    /// <summary>Workers only wait the duration that a task states. Ranks of worlds alone can do that.</summary>
    public bool Simulate { get; init; }

    /// <summary>With <see cref="Simulate"/>, how many logical managers a rank is.</summary>
    public int ManagersPerRank { get; init; } = 1;
}

/// <summary>The manager's answer to a worker or a zygote.</summary>
internal sealed record ChildWelcome(string Version, int Protocol, string[] Preload, long OutputLimit, long ResultLimit);

internal sealed record Refusal(string Reason);

internal sealed record OwnerName(string Name);

/// <summary>Of a function, what the manager acts on.</summary>
internal sealed record FunctionKindName(string? Kind);

/// <summary>A worker that is asked for, and what is its place's alone.</summary>
internal sealed record Fork(
    int Slot,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int[]? Cpus,
    Dictionary<string, string> Environment);

internal sealed record Forked(int Pid, int Slot, string? Note);

internal sealed record Exited(int Pid, int Code);

internal sealed record ZygoteStatus(string Note);

/// <summary>How the node does. <c>draining</c>: it takes no more tasks. <c>runtimes</c> has versions, once the endpoint has asked for them; <c>hops</c> counts frames that passed since the manager started, for whoever measures or kills.</summary>
internal sealed record Status(
    int Workers,
    int Busy,
    int Queued,
    string Note,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, string>? Runtimes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] StatusStaging? Staging,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Draining,
    StatusHops Hops);

/// <summary>How many of the files to stage are there, and how many of their bytes; why it does not go on.</summary>
internal sealed record StatusStaging(int Files, int FilesDone, long Bytes, long BytesDone, string Problem);

internal sealed record StatusHops(
    long TasksReceived,
    long TaskBytesReceived,
    long TasksToWorkers,
    long ResultsFromWorkers,
    long ResultBytesReceived,
    long ResultsSent,
    long BytesCopied,
    long BytesAllocated,
    long FunctionsReceived,
    long FunctionBytesReceived,
    long FunctionBytesSent);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Rendezvous))]
[JsonSerializable(typeof(Hello))]
[JsonSerializable(typeof(Welcome))]
[JsonSerializable(typeof(ChildWelcome))]
[JsonSerializable(typeof(Refusal))]
[JsonSerializable(typeof(OwnerName))]
[JsonSerializable(typeof(FunctionKindName))]
[JsonSerializable(typeof(Fork))]
[JsonSerializable(typeof(Forked))]
[JsonSerializable(typeof(Exited))]
[JsonSerializable(typeof(ZygoteStatus))]
[JsonSerializable(typeof(Status))]
[JsonSerializable(typeof(AgentStatus))]
[JsonSerializable(typeof(BroadcastWhat))]
[JsonSerializable(typeof(FailureBody))]
internal sealed partial class MessageJson : JsonSerializerContext;
