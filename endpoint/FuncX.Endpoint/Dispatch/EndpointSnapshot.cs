using System.Text.Json.Serialization;
using FuncX.Endpoint.Managers;

namespace FuncX.Endpoint.Dispatch;

/// <summary>The endpoint's numbers at one moment, for <c>status</c> and the service.</summary>
public sealed record EndpointSnapshot
{
    /// <summary>Whether the link to the service stands.</summary>
    public bool Online { get; init; }

    public uint Epoch { get; init; }

    public int BlocksRequested { get; init; }

    public int BlocksRunning { get; init; }

    /// <summary>Of those, the ones near their end or one too many, which take no more tasks.</summary>
    public int BlocksDraining { get; init; }

    /// <summary>How many blocks were ordered with <c>scale</c>; <c>auto</c>: they follow the demand.</summary>
    public string Scale { get; init; } = "auto";

    /// <summary>Tasks whose walltime is longer than what is left of the blocks that run.</summary>
    public int WaitingForTime { get; init; }

    public int Managers { get; init; }

    /// <summary>MPI worlds that run, and those that ended and are launched again after a pause.</summary>
    public int WorldsRunning { get; init; }

    public int WorldsWaiting { get; init; }

    /// <summary>Nodes of running blocks on which no world could be started; empty: none.</summary>
    public string NodesGivenUp { get; init; } = "";

    /// <summary>By block, what its agent says of its worlds; not those that have nothing to say.</summary>
    public IReadOnlyDictionary<string, string> AgentNotes { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public int Workers { get; init; }

    public int WorkersBusy { get; init; }

    /// <summary>Tasks here that no manager has.</summary>
    public long Queued { get; init; }

    /// <summary>Tasks at managers.</summary>
    public long Running { get; init; }

    /// <summary>Results kept until the service has committed them, in memory.</summary>
    public long ResultsHeld { get; init; }

    public long ResultsHeldBytes { get; init; }

    public long SpoolBytes { get; init; }

    /// <summary>Directories with results of another identity, which are kept and not sent; empty otherwise.</summary>
    public string SpoolOfOthers { get; init; } = "";

    /// <summary>Tasks that got a result.</summary>
    public long Completed { get; init; }

    /// <summary>Tasks sent ahead per worker, at the manager with the most.</summary>
    public int Prefetch { get; init; }

    /// <summary>Passages of each hop since the process began.</summary>
    public HopCounts Hops { get; init; } = new();

    /// <summary>The same of the managers together, as they last told it.</summary>
    public ManagerHops ManagerHops { get; init; } = new();

    /// <summary>Each manager that has said what it holds; only in the answer to who asks for it.</summary>
    public IReadOnlyList<ManagerCounts> PerManager { get; init; } = [];

    /// <summary>How far each block is with the files of <c>stage_in</c>; a status has it with its blocks.</summary>
    [JsonIgnore]
    public IReadOnlyDictionary<string, BlockStaging> Staging { get; init; } = new Dictionary<string, BlockStaging>(StringComparer.Ordinal);

    /// <summary>Why no work flows, when none does; empty otherwise.</summary>
    public string Note { get; init; } = "";
}

/// <summary>What is in flight at one manager, and what passed it since it started, as it last told.</summary>
/// <param name="Manager">Its id.</param>
/// <param name="Node">Where its process runs.</param>
/// <param name="Pid">The process's number there; simulated managers share one.</param>
public sealed record ManagerCounts(string Manager, string Node, int Pid, int InFlight, ManagerHops Hops);

/// <summary>How many tasks and results passed each hop of this process, and how many bytes of bodies were copied on the way.</summary>
public sealed record HopCounts
{
    public long TasksReceived { get; init; }

    public long TaskBytesReceived { get; init; }

    public long TasksSent { get; init; }

    /// <summary>Functions sent to managers; to a leader each once for all of its managers.</summary>
    public long FunctionsSent { get; init; }

    public long ResultsReceived { get; init; }

    public long ResultBytesReceived { get; init; }

    /// <summary>Results with another outcome than a value, lost executions not among them.</summary>
    public long ResultsFailed { get; init; }

    /// <summary>Executions lost with their worker, manager or block.</summary>
    public long AttemptsLost { get; init; }

    public long ResultsSent { get; init; }

    public long ResultsCommitted { get; init; }

    /// <summary>Bytes of frames that this process copied from one buffer of its own to another, tasks and results together.</summary>
    public long BytesCopied { get; init; }

    /// <summary>Managed memory allocated since the process began.</summary>
    public long BytesAllocated { get; init; }
}
