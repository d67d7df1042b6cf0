namespace FuncX.Tests.Integration.Faults;

/// <summary>Which kills count: those with tasks in flight at the hop beyond the victim. A kind of process of whose kills fewer than one in ten count proves nothing.</summary>
internal sealed class KillTally
{
    private readonly Dictionary<string, (int Counted, int Done)> _kinds = new(StringComparer.Ordinal);

    /// <summary>Notes a kill and says whether it counts.</summary>
    public bool Add(string kind, int pid, HopCounters before)
    {
        var counts = before.Beyond(kind, pid) > 0;
        var (counted, done) = _kinds.GetValueOrDefault(kind);
        _kinds[kind] = (counted + (counts ? 1 : 0), done + 1);
        return counts;
    }

    /// <summary>Whether a kill of the kind has counted.</summary>
    public bool Counts(string kind) => _kinds.GetValueOrDefault(kind).Counted > 0;

    /// <summary>A sentence for each kind of which too few count, or that was never killed.</summary>
    public IEnumerable<string> Failures(IEnumerable<string> kinds) =>
        from kind in kinds
        let tally = _kinds.GetValueOrDefault(kind)
        where tally.Done == 0 || tally.Counted * 10 < tally.Done
        select $"{tally.Counted} of {tally.Done} kills of the {kind} had tasks in flight beyond it; under 10 % proves nothing";
}
