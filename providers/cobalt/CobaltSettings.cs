using System.Collections.ObjectModel;

namespace FuncX.Providers.Cobalt;

/// <summary>How blocks are asked for; what is null or empty is left to the site.</summary>
public sealed record CobaltSettings
{
    /// <summary>At least five minutes: less is refused by cluster systems. Rounded up to whole minutes.</summary>
    public required TimeSpan Walltime { get; init; }

    public string? Queue { get; init; }

    /// <summary>A reservation is a queue of its own, <c>R.NAME</c>; it takes the queue's place.</summary>
    public string? Reservation { get; init; }

    public string? Account { get; init; }

    public IReadOnlyList<string> Filesystems { get; init; } = [];

    /// <summary>Further attributes of the nodes: <c>mcdram=cache</c>.</summary>
    public IReadOnlyList<string> Attributes { get; init; } = [];

    /// <summary>Variables of the job's environment. A value is one line that does not end with a backslash.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Further options as they stand after <c>#COBALT</c>.</summary>
    public IReadOnlyList<string> Directives { get; init; } = [];
}
