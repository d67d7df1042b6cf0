namespace FuncX.Configuration;

/// <summary>The <c>blocks</c> section: how many blocks there are, by demand.</summary>
public sealed record BlocksConfiguration
{
    /// <summary>Kept whatever the demand; 0 to 10,000.</summary>
    public int Min { get; init; }

    /// <summary>Requested at start; between min and max.</summary>
    public int Init { get; init; }

    /// <summary>Never more; 1 to 10,000.</summary>
    public int Max { get; init; } = 1;

    /// <summary>A block above min that has had no task for this long is ended.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Workers asked for per waiting task: 1 is one each, 0.5 one for two; above 0, at most 1.</summary>
    public double Parallelism { get; init; } = 1.0;
}
