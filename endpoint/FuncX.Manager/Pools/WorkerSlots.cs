using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Link;

namespace FuncX.Manager.Pools;

/// <summary>A worker's place on the node: its number, and the part of the node that goes with it.</summary>
/// <param name="Number">From 0; lower than the node's number of workers, and no other living worker's.</param>
/// <param name="Cpus">CPUs that it may run on; null: all.</param>
/// <param name="Variables">Variables of its environment that only this place has.</param>
internal sealed record WorkerSlot(int Number, int[]? Cpus, IReadOnlyList<KeyValuePair<string, string>> Variables)
{
    public IEnumerable<string> Environment => Variables.Select(static variable => $"{variable.Key}={variable.Value}");
}

/// <summary>The node's places for workers, over all owners and kinds. Pure but for who has which.</summary>
/// <param name="settings">The endpoint's file.</param>
/// <param name="cpus">CPUs that this process may run on: a batch system may have given it some of the node's.</param>
internal sealed class WorkerSlots(WorkerSettings settings, IReadOnlyList<int> cpus)
{
    private readonly SortedSet<int> _free = [.. Enumerable.Range(0, settings.PerNode)];
    private int _beyond = settings.PerNode;

    /// <summary>The lowest free place. There is one for each worker that the policy starts; were there none, one more is made.</summary>
    public WorkerSlot Take()
    {
        if (_free.Count == 0)
            _free.Add(_beyond++);
        var number = _free.Min;
        _free.Remove(number);
        return Describe(number);
    }

    public void Release(int number) => _free.Add(number);

    public WorkerSlot Describe(int number) =>
        new(number, CpusOf(number % settings.PerNode), WorkerVariables.OfPlace(number, settings.PerNode, settings.Accelerators));

    private int[]? CpusOf(int number)
    {
        if (cpus.Count == 0 || settings.CpuAffinity is not ("block" or "alternating"))
            return null;
        var block = settings.CpuAffinity == "block";
        return [.. Enumerable.Range(0, settings.CoresPerWorker)
            .Select(core => cpus[(int)((block ? ((long)number * settings.CoresPerWorker) + core : number + ((long)core * settings.PerNode)) % cpus.Count)]).Distinct().Order()];
    }
}
