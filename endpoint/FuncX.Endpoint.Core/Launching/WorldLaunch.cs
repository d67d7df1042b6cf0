namespace FuncX.Endpoint.Core.Launching;

/// <summary>One MPI world to be launched: a rank for each entry of the nodes.</summary>
public sealed record WorldLaunch
{
    /// <summary>Variables that ranks must have where they are set; other launchers than mpirun hand the whole environment on. By ssh a node has what its shell sets, and no loaded module.</summary>
    public static IReadOnlyList<string> HandedOn { get; } = ["PATH", "LD_LIBRARY_PATH", "FUNCX_UMASK", "FUNCX_MPI_LIBRARY"];

    /// <summary>One rank each; a name that stands n times in a row gets n.</summary>
    public required IReadOnlyList<string> Nodes { get; init; }

    /// <summary>Where the launcher's list of hosts is written to, absolute.</summary>
    public required string HostFile { get; init; }

    /// <summary>The program and its arguments.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>Further arguments of the launcher, as the configuration has them: behind ours, so that they win.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Names of environment variables that the ranks must have.</summary>
    public IReadOnlyList<string> Variables { get; init; } = [];

    /// <summary>Processors of a node, for launchers that give a rank one unless they are told.</summary>
    public int CoresPerNode { get; init; } = 1;

    /// <summary>Open MPI refuses root unless it is told that this is meant.</summary>
    public bool IsRoot { get; init; }

    /// <summary>How Slurm and the ranks' MPI find each other; null: Slurm's default.</summary>
    public string? SlurmMpi { get; init; }

    /// <summary>The nodes with how many ranks each gets.</summary>
    public IEnumerable<(string Name, int Ranks)> Hosts()
    {
        for (var i = 0; i < Nodes.Count;)
        {
            var ranks = 1;
            while (i + ranks < Nodes.Count && Nodes[i + ranks] == Nodes[i])
                ranks++;
            yield return (Nodes[i], ranks);
            i += ranks;
        }
    }
}
