namespace FuncX.Configuration;

/// <summary>What starts a worker inside an image.</summary>
public enum ContainerRuntime
{
    None,
    Apptainer,
    Shifter,
    Podman,
    Docker,
    Charliecloud,
    Bubblewrap,
    Custom,
}

/// <summary>Whether one manager may hold workers of several images.</summary>
public enum ContainerMode
{
    Soft,

    /// <summary>One image per manager.</summary>
    Hard,
}

/// <summary>The <c>containers</c> section.</summary>
public sealed record ContainersConfiguration
{
    public ContainerRuntime Runtime { get; init; } = ContainerRuntime.None;

    /// <summary>Patterns of images that functions may ask for.</summary>
    public IReadOnlyList<string> Allowed { get; init; } = ["*"];

    /// <summary>Directories seen inside every container.</summary>
    public IReadOnlyList<string> Binds { get; init; } = [];

    /// <summary>Where images and the files of <c>stage_in</c> lie on a node; null: no images are kept, and files lie in the manager's directory.</summary>
    public ContainerCacheConfiguration? Cache { get; init; }

    public ContainerMode Mode { get; init; } = ContainerMode.Soft;

    /// <summary>Workers kept warm per node, by image.</summary>
    public IReadOnlyDictionary<string, int> Warm { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);
}

/// <summary>The <c>containers.cache</c> section: key <c>dir</c> and key <c>size</c>.</summary>
public sealed record ContainerCacheConfiguration
{
    public required string Directory { get; init; }

    /// <summary>Bytes.</summary>
    public required long Size { get; init; }
}
