using System.IO.Hashing;
using System.Text;

namespace FuncX.Service.Tasks;

/// <summary>
/// A task group that has something in memory: unfinished batches, finished ones that are not in the index yet, or somebody who listens.
/// Counters belong to the turn; the list of results and the listeners are also touched by streams, under the object's lock.
/// </summary>
public sealed class GroupState(int owner, string name, long floor)
{
    private readonly List<ResultPosition> _results = [];
    private ResultSignal[] _listeners = [];

    public int Owner { get; } = owner;

    public string Name { get; } = name;

    /// <summary>Stands in each result section, so that a chunk is searched without knowing its batches.</summary>
    public ulong Number { get; } = NumberOf(owner, name);

    public long Tasks { get; set; }

    public long Queued { get; set; }

    /// <summary>Of the queued ones, those that wait for other tasks.</summary>
    public long Waiting { get; set; }

    public long Dispatched { get; set; }

    public long Done { get; set; }

    public long Failed { get; set; }

    /// <summary>Batches in memory.</summary>
    public int Batches { get; set; }

    /// <summary>The newest chunk with a submission or results of batches that are in memory, or were while this object was.</summary>
    public long LastChunk { get; set; }

    /// <summary>Results of this group with a smaller chunk are only in the index on disk.</summary>
    public long Floor { get; private set; } = floor;

    /// <summary>Set while a turn has results of it to announce.</summary>
    public bool Touched { get; set; }

    public long Unfinished => Queued + Dispatched;

    public bool IsIdle
    {
        get
        {
            lock (_results)
                return Batches == 0 && _listeners.Length == 0;
        }
    }

    public static ulong NumberOf(int owner, string name)
    {
        var hash = new XxHash3(owner);
        hash.Append(Encoding.UTF8.GetBytes(name));
        return hash.GetCurrentHashAsUInt64();
    }

    public void AddResult(ResultPosition position)
    {
        lock (_results)
            _results.Add(position);
    }

    /// <summary>Forgets positions below a chunk; from then on they are found by the index.</summary>
    public void RaiseFloor(long floor)
    {
        lock (_results)
        {
            if (floor <= Floor)
                return;
            Floor = floor;
            var keep = 0;
            while (keep < _results.Count && _results[keep].Chunk < floor)
                keep++;
            _results.RemoveRange(0, keep);
        }
    }

    /// <summary>Copies positions behind a cursor, oldest first.</summary>
    /// <returns>False when older ones than memory has may exist.</returns>
    public bool TryCopyAfter(ulong cursor, List<ResultPosition> output, int most)
    {
        lock (_results)
        {
            if (ResultPosition.Split(cursor).Chunk < Floor)
                return false;
            var low = 0;
            var high = _results.Count;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (_results[middle].Cursor <= cursor)
                    low = middle + 1;
                else
                    high = middle;
            }

            for (; low < _results.Count && output.Count < most; low++)
                output.Add(_results[low]);
            return true;
        }
    }

    public List<ResultPosition> CopyResults()
    {
        lock (_results)
            return [.. _results];
    }

    public void Listen(ResultSignal signal)
    {
        lock (_results)
            _listeners = [.. _listeners, signal];
    }

    public void Leave(ResultSignal signal)
    {
        lock (_results)
            _listeners = [.. _listeners.Where(other => other != signal)];
    }

    /// <summary>Wakes all who listen.</summary>
    public void Announce(bool inline)
    {
        // Outside the lock: a waiter that goes on here may leave or listen again.
        foreach (var listener in Volatile.Read(ref _listeners))
            listener.Raise(inline);
    }
}
