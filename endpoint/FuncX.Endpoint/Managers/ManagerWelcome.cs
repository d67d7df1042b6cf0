using System.Text.Json.Serialization;
using FuncX.Configuration;

namespace FuncX.Endpoint.Managers;

/// <summary>The body of a welcome, as in protocol/README.md.</summary>
internal sealed record ManagerWelcome(
    [property: JsonPropertyName("version")] string Version,
    [property: JsonPropertyName("protocol")] int Protocol,
    [property: JsonPropertyName("number")] int Number,
    [property: JsonPropertyName("heartbeat_ms")] int HeartbeatMilliseconds,
    [property: JsonPropertyName("workers"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] WorkersWelcome? Workers,
    [property: JsonPropertyName("block"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] BlockWelcome? Block,
    [property: JsonPropertyName("stage"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] StageWelcome? Stage);

/// <summary>How an agent is to launch the worlds of its block.</summary>
internal sealed record BlockWelcome(
    [property: JsonPropertyName("launcher")] string Launcher,
    [property: JsonPropertyName("ranks_per_world")] int RanksPerWorld,
    [property: JsonPropertyName("arguments")] IReadOnlyList<string> Arguments,
    [property: JsonPropertyName("leader_only")] bool LeaderOnly)
{
    public static BlockWelcome From(EndpointConfiguration configuration)
    {
        var launcher = configuration.Launcher ?? new LauncherConfiguration();
        return new BlockWelcome(SnakeCase.Of(launcher.Type), launcher.RanksPerWorld, launcher.Arguments, launcher.LeaderOnly);
    }
}

/// <summary>The part of the configuration that managers act on.</summary>
internal sealed record WorkersWelcome(
    [property: JsonPropertyName("per_node")] int PerNode,
    [property: JsonPropertyName("cores_per_worker")] int CoresPerWorker,
    [property: JsonPropertyName("memory_per_worker")] long MemoryPerWorker,
    [property: JsonPropertyName("init")] string Init,
    [property: JsonPropertyName("python")] string Python,
    [property: JsonPropertyName("preload")] IReadOnlyList<string> Preload,
    [property: JsonPropertyName("isolation")] string Isolation,
    [property: JsonPropertyName("cpu_affinity")] string CpuAffinity,
    [property: JsonPropertyName("accelerators")] IReadOnlyList<string> Accelerators,
    [property: JsonPropertyName("kept")] string Kept,
    [property: JsonPropertyName("idle_ms")] long IdleMilliseconds,
    [property: JsonPropertyName("prefetch")] int? Prefetch,
    [property: JsonPropertyName("output_limit")] long OutputLimit,
    [property: JsonPropertyName("result_limit")] long ResultLimit,
    [property: JsonPropertyName("walltime_ms")] long WalltimeMilliseconds,
    [property: JsonPropertyName("simulate")] bool Simulate,
    [property: JsonPropertyName("managers_per_rank")] int ManagersPerRank)
{
    /// <summary>The most that any configuration may allow one result: it is held in memory on its way.</summary>
    public const long LargestResult = 256L << 20;

    public static WorkersWelcome From(EndpointConfiguration configuration)
    {
        var workers = configuration.Workers;
        return new WorkersWelcome(
            workers.PerNode,
            workers.CoresPerWorker,
            workers.MemoryPerWorker ?? 0,
            workers.Init,
            workers.Python,
            workers.Preload,
            workers.Isolation switch { WorkerIsolation.Spawn => "spawn", WorkerIsolation.PerTask => "per_task", _ => "fork" },
            workers.CpuAffinity switch { Configuration.CpuAffinity.Block => "block", Configuration.CpuAffinity.Alternating => "alternating", _ => "none" },
            workers.Accelerators,
            Path.Combine(configuration.StateDirectory, "kept"),
            (long)workers.Idle.TotalMilliseconds,
            workers.Prefetch,
            configuration.Limits.Output,
            Math.Min(configuration.Limits.Result, LargestResult),
            (long)(configuration.Limits.TaskWalltime?.TotalMilliseconds ?? 0),
            workers.Simulate,
            workers.ManagersPerNode);
    }
}
