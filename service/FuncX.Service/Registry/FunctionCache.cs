using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using FuncX.Service.Auth;

namespace FuncX.Service.Registry;

/// <summary>Functions in memory, bounded by the bytes of their code; what was not used since the last sweep goes first. Safe for any thread.</summary>
internal sealed class FunctionCache(long mostBytes)
{
    private const int BytesPerEntry = 1_024;

    private readonly ConcurrentDictionary<(OwnerId Owner, string Id), Entry> _live = new();
    private readonly ConcurrentDictionary<int, Entry> _all = new();
    private readonly Lock _gate = new();
    private long _bytes;

    public long Bytes => Interlocked.Read(ref _bytes);

    public bool TryGet(OwnerId owner, string functionId, [NotNullWhen(true)] out FunctionRecord? function) =>
        Use(_live.TryGetValue((owner, functionId), out var entry), entry, out function);

    public bool TryGetByNumber(int number, [NotNullWhen(true)] out FunctionRecord? function) =>
        Use(_all.TryGetValue(number, out var entry), entry, out function);

    /// <summary>Puts the function in, in place of an older state of it.</summary>
    public void Put(FunctionRecord function)
    {
        lock (_gate)
        {
            if (_all.TryGetValue(function.Number, out var old))
                Remove(old);
            var entry = new Entry(function);
            _all[function.Number] = entry;
            if (!function.IsDeleted)
                _live[(function.Owner, function.FunctionId)] = entry;
            _bytes += Size(function);
            if (_bytes > mostBytes)
                Sweep(entry);
        }
    }

    private static bool Use(bool found, Entry? entry, [NotNullWhen(true)] out FunctionRecord? function)
    {
        function = entry?.Function;
        if (!found || entry is null)
            return false;
        if (!entry.Used)
            entry.Used = true;
        return function is not null;
    }

    private void Sweep(Entry newest)
    {
        // Two rounds: the first spares what was used since the sweep before, the second takes anything.
        for (var round = 0; round < 2 && _bytes > mostBytes / 2; round++)
        {
            foreach (var (_, entry) in _all)
            {
                if (ReferenceEquals(entry, newest))
                    continue;
                if (entry.Used)
                    entry.Used = false;
                else
                    Remove(entry);
                if (_bytes <= mostBytes / 2)
                    return;
            }
        }
    }

    private void Remove(Entry entry)
    {
        if (!_all.TryRemove(entry.Function.Number, out _))
            return;
        _live.TryRemove((entry.Function.Owner, entry.Function.FunctionId), out _);
        _bytes -= Size(entry.Function);
    }

    private static long Size(FunctionRecord function) => function.Code.Length + BytesPerEntry;

    private sealed class Entry(FunctionRecord function)
    {
        public readonly FunctionRecord Function = function;
        public bool Used = true;
    }
}
