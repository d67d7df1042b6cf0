namespace FuncX.Cluster;

/// <summary>One process as <c>/proc</c> shows it.</summary>
/// <param name="Identity">Number and start time.</param>
/// <param name="Parent">Number of its parent.</param>
/// <param name="Name">Its short name (at most 15 characters).</param>
/// <param name="State">R, S, D, Z, T, ...</param>
/// <param name="CpuTicks">Clock ticks it used, in user and kernel mode.</param>
/// <param name="ReapedCpuTicks">The same of children it waited for.</param>
public sealed record ProcessEntry(ProcessIdentity Identity, int Parent, string Name, char State, long CpuTicks, long ReapedCpuTicks)
{
    public int Pid => Identity.Pid;

    /// <summary>Its arguments; empty when it has ended.</summary>
    public IReadOnlyList<string> Arguments
    {
        get
        {
            var text = System.Text.Encoding.UTF8.GetString(ProcessTable.ReadBytes($"/proc/{Pid}/cmdline"));
            return text.Length == 0 ? [] : text.TrimEnd('\0').Split('\0');
        }
    }
}
