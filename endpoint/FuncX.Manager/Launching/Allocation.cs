using System.Buffers;
using System.Globalization;
using FuncX.Endpoint.Core.Launching;

namespace FuncX.Manager.Launching;

/// <summary>The nodes of the job that this process runs in, as its environment tells them.</summary>
internal sealed record Allocation
{
    public required AllocationKind Kind { get; init; }

    public required string JobId { get; init; }

    /// <summary>Each node once, in the scheduler's order.</summary>
    public required IReadOnlyList<string> Nodes { get; init; }

    /// <summary>Processors that the job has of each node, of the node with the fewest; null: it does not say.</summary>
    public int? CoresPerNode { get; init; }

    /// <summary>When the job ends, as far as the environment says.</summary>
    public DateTimeOffset? End { get; init; }

    private const int CrayDigits = 5;
    private static readonly SearchValues<char> s_ofRanges = SearchValues.Create("0123456789-,");

    /// <summary>Null outside a job.</summary>
    /// <exception cref="FormatException">It is a job whose nodes cannot be told; the message says what was seen.</exception>
    public static Allocation? Find(Func<string, string?> environment, Func<string, IEnumerable<string>> readLines)
    {
        if (Value("SLURM_JOB_ID") is { } slurm)
        {
            return new Allocation
            {
                Kind = AllocationKind.Slurm,
                JobId = slurm,
                Nodes = Distinct(HostList.Expand(Value("SLURM_JOB_NODELIST") ?? throw Missing("SLURM_JOB_ID", "no SLURM_JOB_NODELIST")), "SLURM_JOB_NODELIST"),
                CoresPerNode = Fewest(Value("SLURM_JOB_CPUS_PER_NODE")),
                End = Time("SLURM_JOB_END_TIME"),
            };
        }

        if (Value("COBALT_JOBID") is { } cobalt)
        {
            return new Allocation
            {
                Kind = AllocationKind.Cobalt,
                JobId = cobalt,
                // Recorded with 1.0.33, where a site's prescript writes the file: a heading, its own path and a colon.
                Nodes = Value("COBALT_NODEFILE") is { } file ? Distinct(readLines(file).Where(line => line != $"{file}:"), "COBALT_NODEFILE")
                    : Value("COBALT_PARTNAME") is { } partition ? CrayNodes(partition)
                    : throw Missing("COBALT_JOBID", "neither COBALT_NODEFILE nor COBALT_PARTNAME"),
                End = Time("COBALT_ENDTIME"),
            };
        }

        if (Value("PBS_JOBID") is { } pbs)
        {
            return new Allocation
            {
                Kind = AllocationKind.Pbs,
                JobId = pbs,
                Nodes = Distinct(readLines(Value("PBS_NODEFILE") ?? throw Missing("PBS_JOBID", "no PBS_NODEFILE")), "PBS_NODEFILE"),
            };
        }

        return null;

        string? Value(string name) => environment(name) is { Length: > 0 } value ? value : null;

        DateTimeOffset? Time(string name) => long.TryParse(Value(name), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= uint.MaxValue
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;
    }

    // 72(x2),36: two nodes with 72 and one with 36.
    private static int? Fewest(string? counts)
    {
        int? fewest = null;
        foreach (var part in counts?.Split(',') ?? [])
        {
            if (!int.TryParse(part.Split('(')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count < 1)
                return null;
            fewest = Math.Min(fewest ?? count, count);
        }

        return fewest;
    }

    // On a Cray Cobalt has no file of nodes, and gives their numbers: 3-5,8 are nid00003 to nid00005 and nid00008.
    private static List<string> CrayNodes(string partition)
    {
        if (partition.AsSpan().ContainsAnyExcept(s_ofRanges))
            throw new FormatException($"COBALT_PARTNAME is '{partition}', which are no numbers of nodes like 3-5,8, and COBALT_NODEFILE, which would name them, is not set");
        return Distinct(HostList.Expand($"[{partition}]").Select(static number => "nid" + number.PadLeft(CrayDigits, '0')), "COBALT_PARTNAME");
    }

    private static FormatException Missing(string has, string lacks) => new($"this is a job ({has} is set), but {lacks}, which names its nodes, is set");

    private static List<string> Distinct(IEnumerable<string> names, string source)
    {
        // PBS names a node once for each place of a process.
        var nodes = names.Select(static name => name.Trim()).Where(static name => name.Length > 0).Distinct(StringComparer.Ordinal).ToList();
        return nodes.Count > 0 ? nodes : throw new FormatException($"{source} names no node");
    }
}
