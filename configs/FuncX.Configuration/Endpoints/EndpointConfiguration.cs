namespace FuncX.Configuration;

/// <summary>One machine's file, read and checked. Keys of the file are the snake_case of the properties; configs/REFERENCE.md lists them.</summary>
public sealed record EndpointConfiguration
{
    /// <summary>What users call the endpoint: 1 to 64 of a-z A-Z 0-9 . _ -</summary>
    public required string Name { get; init; }

    /// <summary>Address of the service: http (loopback only) or https.</summary>
    public required string Service { get; init; }

    /// <summary>For people; at most 1,000 characters.</summary>
    public string Description { get; init; } = "";

    /// <summary>Absolute path (key <c>state_dir</c>); mode 0700, belongs to this endpoint alone.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>How blocks are had.</summary>
    public ProviderConfiguration Provider { get; init; } = new();

    /// <summary>How many blocks.</summary>
    public BlocksConfiguration Blocks { get; init; } = new();

    /// <summary>How frames reach the managers.</summary>
    public TransportKind Transport { get; init; } = TransportKind.Tcp;

    /// <summary>How worlds are started inside a block; null when left out (detected).</summary>
    public LauncherConfiguration? Launcher { get; init; }

    /// <summary>Network interfaces where managers may dial in; empty when left out.</summary>
    public IReadOnlyList<string> Interfaces { get; init; } = [];

    /// <summary>Workers of a node.</summary>
    public WorkersConfiguration Workers { get; init; } = new();

    /// <summary>Images that functions may ask for.</summary>
    public ContainersConfiguration Containers { get; init; } = new();

    /// <summary>Absolute paths of files brought to every node's cache before work starts; no two have the same base name.</summary>
    public IReadOnlyList<string> StageIn { get; init; } = [];

    /// <summary>Bounds on tasks and on what is kept.</summary>
    public LimitsConfiguration Limits { get; init; } = new();

    /// <summary>Whose tasks run here.</summary>
    public SharingConfiguration Sharing { get; init; } = new();

    /// <summary>Metrics, and where they go.</summary>
    public TelemetryConfiguration Telemetry { get; init; } = new();

    /// <summary>The log of a detached endpoint.</summary>
    public LogsConfiguration Logs { get; init; } = new();
}
