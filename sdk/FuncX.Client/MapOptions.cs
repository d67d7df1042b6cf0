namespace FuncX.Client;

/// <summary>How <c>FuncXClient.MapAsync</c> and its relatives behave.</summary>
public sealed record MapOptions
{
    /// <summary>True: results come in the order of the arguments. False: as they are computed. Default true.</summary>
    public bool Ordered { get; init; } = true;

    /// <summary>
    /// Calls that are on their way or whose results were not taken yet; the source is not read further beyond. 1 or more, default 65,536. This and
    /// <see cref="WindowBytes"/> bound the memory of a map, however long it is.
    /// </summary>
    public int Window { get; init; } = 65_536;

    /// <summary>Bytes of arguments and (expected) results of those calls. Default 256 MiB.</summary>
    public long WindowBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>Calls that one message carries at most; null: <see cref="FuncXClientOptions.BatchSize"/>. The first messages carry fewer, so that work starts at once.</summary>
    public int? BatchSize { get; init; }

    /// <summary>The group of these calls; a new one by default. With it another program can read the results again. A group that has results already is read from its beginning.</summary>
    public string? Group { get; init; }

    /// <summary>The arguments are <see cref="CallArguments.FromOctets"/>, all of them, and the values bytes: ask for <see cref="RawResult"/>. Default false.</summary>
    public bool Octets { get; init; }

    /// <summary>What to say about each call.</summary>
    public CallSettings Settings { get; init; } = new();

    /// <summary>Cancel what has not ended when the results are not read to their end. Default true.</summary>
    public bool CancelWhenAbandoned { get; init; } = true;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Window, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(WindowBytes, 1);
        if (BatchSize is { } size)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(size, 10_000);
        }

        if (Group is { Length: 0 or > 64 })
            throw new ArgumentException($"Group '{Group}' has {Group.Length} characters; a group has 1 to 64.");
    }
}
