using FuncX.Manager.Interop;

namespace FuncX.Manager.Engine;

/// <summary>
/// Binds workers to cores: <c>block</c> gives worker n the cores n x cores_per_worker and following, <c>alternating</c> every per_node-th
/// from n on. Only cores that this process may use count.
/// </summary>
internal sealed unsafe class Affinity(Node node)
{
    private const int MaskBytes = 1024;

    private List<int>? _cores;

    public void Place(int pid, int index)
    {
        if (node.Settings.CpuAffinity is not ("block" or "alternating"))
            return;
        _cores ??= Allowed();
        var each = node.Settings.CoresPerWorker;
        if (index < 0 || _cores.Count == 0)
            return;
        var mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        for (var i = 0; i < each; i++)
        {
            var at = node.Settings.CpuAffinity == "block" ? (index * each) + i : index + (i * node.Settings.PerNode);
            var core = _cores[at % _cores.Count];
            mask[core / 8] |= (byte)(1 << (core % 8));
        }

        _ = Libc.SetAffinity(pid, MaskBytes, mask);
    }

    private static List<int> Allowed()
    {
        var mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        var cores = new List<int>();
        if (Libc.GetAffinity(0, MaskBytes, mask) < 0)
            return cores;
        for (var core = 0; core < MaskBytes * 8; core++)
        {
            if ((mask[core / 8] & (1 << (core % 8))) != 0)
                cores.Add(core);
        }

        return cores;
    }
}
