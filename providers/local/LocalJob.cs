using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace FuncX.Providers.Local;

/// <summary>
/// A job id of the local provider: <c>host/place/pid.start,pid.start</c>. The place is the boot of the machine and its namespace of process ids:
/// numbers of another mean nothing here. The host is for messages only, since a laptop's name changes with its network.
/// </summary>
internal sealed record LocalJob(string Host, string Place, IReadOnlyList<ProcessRecord> Nodes)
{
    private static readonly string s_place = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim() + "." + ProcessNamespace();

    public static LocalJob Here(IReadOnlyList<ProcessRecord> nodes) => new(Environment.MachineName, s_place, nodes);

    public bool IsHere => string.Equals(Place, s_place, StringComparison.Ordinal);

    public static bool TryParse(string text, [NotNullWhen(true)] out LocalJob? job)
    {
        job = null;
        var parts = text.Split('/');
        if (parts.Length != 3)
            return false;
        var nodes = new List<ProcessRecord>();
        foreach (var node in parts[2].Split(','))
        {
            var dot = node.IndexOf('.', StringComparison.Ordinal);
            if (dot < 1 || !int.TryParse(node.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                || !long.TryParse(node.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var ticks))
                return false;
            nodes.Add(new ProcessRecord(pid, ticks));
        }

        job = new LocalJob(parts[0], parts[1], nodes);
        return true;
    }

    public override string ToString() => $"{Host}/{Place}/{string.Join(',', Nodes.Select(node => $"{node.Pid}.{node.StartTicks}"))}";

    // The link reads pid:[4026531836]: its number is the namespace's.
    private static string ProcessNamespace()
    {
        var link = new FileInfo("/proc/self/ns/pid").LinkTarget ?? "";
        return new string([.. link.Where(char.IsAsciiDigit)]);
    }
}
