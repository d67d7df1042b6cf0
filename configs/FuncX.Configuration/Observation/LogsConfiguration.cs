namespace FuncX.Configuration;

/// <summary>The <c>logs</c> section, in the service's file and in a machine's.</summary>
public sealed record LogsConfiguration
{
    /// <summary>How a message is written.</summary>
    public LogFormat Format { get; init; }

    /// <summary>The file (key <c>file</c>, the service's only); null: standard output, or of a detached endpoint its own file.</summary>
    public string? File { get; init; }

    /// <summary>A file that this many bytes are in is followed by another: 64 KiB to 1 TiB.</summary>
    public long Size { get; init; } = 10L << 20;

    /// <summary>How many files there are at most, the one being written among them: 1 to 1,000.</summary>
    public int Files { get; init; } = 5;
}

/// <summary>How a message is written to a log.</summary>
public enum LogFormat
{
    /// <summary>A line for people.</summary>
    Text,

    /// <summary>A JSON object on a line of its own, with the message's properties apart.</summary>
    Json,
}
