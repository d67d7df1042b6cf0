namespace FuncX.Manager.Launching;

internal enum WorldState
{
    /// <summary>To be launched, now or after a pause.</summary>
    Waiting,

    /// <summary>Its launcher runs.</summary>
    Running,

    /// <summary>Split in two, or its node was given up.</summary>
    Over,
}

/// <summary>One MPI job inside the block, as often as it is launched.</summary>
internal sealed class World(int number, IReadOnlyList<string> nodes)
{
    /// <summary>From 1, never used again.</summary>
    public int Number { get; } = number;

    public IReadOnlyList<string> Nodes { get; set; } = nodes;

    public WorldState State { get; set; }

    /// <summary>Launches in a row that came to nothing.</summary>
    public int Failures { get; set; }

    public int Launches { get; set; }

    /// <summary>When it may be launched, in milliseconds of the caller's clock.</summary>
    public long DueAt { get; set; }

    public long RunningSince { get; set; }

    /// <summary>How it ended last, for people; empty before.</summary>
    public string LastEnd { get; set; } = "";
}
