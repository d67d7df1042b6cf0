using System.Text.Json;

namespace FuncX.Client;

/// <summary>How a <see cref="FuncXClient"/> behaves; the defaults are right for most programs.</summary>
public sealed record FuncXClientOptions
{
    /// <summary>How long to try to reach the service for the first time before a call fails. Default 10 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long to keep trying when the service, once reached, goes away (it restarts, the network fails), from when the connection was lost. Submissions keep
    /// their batch ids and results their cursor meanwhile. Default 5 minutes; <see cref="Timeout.InfiniteTimeSpan"/> never gives up.
    /// </summary>
    public TimeSpan RetryFor { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Calls that one message carries at most; 1 to 10,000. Default 1,000. With 1 every call is a message of its own.</summary>
    public int BatchSize { get; init; } = 1_000;

    /// <summary>Bytes of arguments at which a message is closed even if it holds fewer calls. Default 512 KiB.</summary>
    public int BatchBytes { get; init; } = 512 * 1024;

    /// <summary>Bytes of arguments that may wait for the service's acknowledgement; further submissions wait. Default 64 MiB.</summary>
    public long UnacknowledgedBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>Submit with one gRPC call per message instead of the open stream. Slower; for services behind a proxy that cuts streams.</summary>
    public bool UnarySubmission { get; init; }

    /// <summary>The group that single calls of this client belong to; a new one by default. 1 to 64 characters.</summary>
    public string? Group { get; init; }

    /// <summary>How arguments and results are written in JSON when no type information is passed.</summary>
    public JsonSerializerOptions Json { get; init; } = JsonSerializerOptions.Default;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BatchSize, 10_000);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(UnacknowledgedBytes, 1);
        if (Group is { Length: 0 or > 64 })
            throw new ArgumentException($"Group '{Group}' has {Group.Length} characters; a group has 1 to 64.");
    }
}
