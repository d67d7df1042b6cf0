namespace FuncX.Endpoint.Core;

/// <summary>
/// The managers by number, and rings of those with room, so that finding one costs the same with two as with sixteen thousand. Numbers of managers that
/// are gone are used again.
/// </summary>
internal sealed class ManagerTable(CoreSettings settings)
{
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);
    private readonly Stack<int> _freeNumbers = new();
    private ManagerRecord[] _records = new ManagerRecord[16];
    private ManagerRing _free = ManagerRing.Empty;
    private ManagerRing _ahead = ManagerRing.Empty;

    public int Used { get; private set; }

    /// <summary>Managers that are connected or may come back.</summary>
    public int Count => _byName.Count;

    /// <summary>Managers that take tasks.</summary>
    public int ReadyCount { get; private set; }

    /// <summary>Workers of managers that are ready.</summary>
    public int Workers { get; private set; }

    /// <summary>Of those, the ones that have nothing to do.</summary>
    public int FreeWorkers { get; private set; }

    /// <summary>Tasks sent ahead of free workers, at all ready managers.</summary>
    public int Surplus { get; private set; }

    /// <summary>Tasks that all ready managers together may hold.</summary>
    public int Capacity { get; private set; }

    /// <summary>How many managers that are ready have which runtimes, by their number.</summary>
    public List<int> ReadyByRuntimes { get; } = [0];

    public void SetRuntimes(int manager, int runtimes)
    {
        ref var record = ref _records[manager];
        Discount(ref record);
        record.Runtimes = runtimes;
        Recount(ref record);
    }

    public ref ManagerRecord this[int manager] => ref _records[manager];

    public bool TryFind(string name, out int manager) => _byName.TryGetValue(name, out manager);

    public int Add(string name, Block block, long now)
    {
        if (!_freeNumbers.TryPop(out var manager))
        {
            if (Used == _records.Length)
                Array.Resize(ref _records, Used * 2);
            manager = Used++;
        }

        _byName.Add(name, manager);
        _records[manager] = new ManagerRecord
        {
            Name = name,
            Block = block,
            State = ManagerState.Opening,
            Workers = settings.WorkersPerManager,
            Ahead = settings.Prefetch ?? 1,
            Tasks = TaskList.Empty,
            LastHeard = now,
            EndsAt = long.MaxValue,
        };
        return manager;
    }

    public void Remove(int manager)
    {
        SetState(manager, ManagerState.Unknown);
        _byName.Remove(_records[manager].Name);
        _records[manager] = default;
        _freeNumbers.Push(manager);
    }

    public void SetState(int manager, ManagerState state)
    {
        ref var record = ref _records[manager];
        Leave(manager);
        Discount(ref record);
        record.State = state;
        Recount(ref record);
        Join(manager);
    }

    /// <summary>Picks the manager that is served next, and how many tasks it may take of <paramref name="queued"/> so that all get a share; -1: none has room.</summary>
    public int Next(int queued, long now, out int share)
    {
        while (_free.Count == 0 && _ahead.Head >= 0 && _records[_ahead.Head].StandsStill(now))
        {
            // A long task among short ones: what is sent ahead now would wait behind it.
            var still = _ahead.Head;
            _records[still].Still = true;
            Rejoin(still);
        }

        ref var ring = ref _free.Count > 0 ? ref _free : ref _ahead;
        var manager = ring.Head;
        share = 0;
        if (manager < 0)
            return -1;
        ref var record = ref _records[manager];
        var room = (record.Room == ManagerRoom.FreeWorker ? record.Workers : record.Capacity) - record.InFlight;
        // Marks and acknowledgements cost as much for one task as for a hundred, and short tasks are done before spreading them would have gained anything.
        var least = record.IsShort ? Math.Min(room, record.Workers) : 1;
        share = Math.Clamp(queued / ring.Count, least, room);
        return manager;
    }

    /// <summary>Brings rings and counts up to date after <paramref name="change"/> tasks came to or left a manager; it goes to the end of its ring.</summary>
    public void OnTasksChanged(int manager, int change)
    {
        ref var record = ref _records[manager];
        if (record.State == ManagerState.Ready)
        {
            var before = record.InFlight - change;
            FreeWorkers += Math.Max(0, record.Workers - record.InFlight) - Math.Max(0, record.Workers - before);
            Surplus += record.Surplus - Math.Max(0, before - record.Workers);
        }

        if (change > 0 || record.Room != RoomOf(ref record))
            Rejoin(manager);
    }

    /// <summary>A result came from the manager.</summary>
    public void OnProgress(int manager, long now)
    {
        ref var record = ref _records[manager];
        record.LastProgress = now;
        if (!record.Still)
            return;
        record.Still = false;
        Rejoin(manager);
    }

    public void Measure(int manager, long microseconds)
    {
        if (settings.Prefetch is not null)
            return;
        ref var record = ref _records[manager];
        var before = record.Ahead;
        record.Measure(microseconds);
        if (record.Ahead == before || record.State != ManagerState.Ready)
            return;
        Capacity += record.Workers * (record.Ahead - before);
        if (record.Room != RoomOf(ref record))
            Rejoin(manager);
    }

    public void Rejoin(int manager)
    {
        Leave(manager);
        Join(manager);
    }

    private void Leave(int manager)
    {
        ref var record = ref _records[manager];
        if (record.Room == ManagerRoom.FreeWorker)
            _free.Remove(_records, manager);
        else if (record.Room == ManagerRoom.Ahead)
            _ahead.Remove(_records, manager);
        record.Room = ManagerRoom.None;
    }

    private void Join(int manager)
    {
        ref var record = ref _records[manager];
        record.Room = RoomOf(ref record);
        if (record.Room == ManagerRoom.FreeWorker)
            _free.AddLast(_records, manager);
        else if (record.Room == ManagerRoom.Ahead)
            _ahead.AddLast(_records, manager);
    }

    private ManagerRoom RoomOf(ref ManagerRecord record)
    {
        if (record.State != ManagerState.Ready || record.Blocked || record.Reserved || record.Alone > 0)
            return ManagerRoom.None;
        if (record.InFlight < record.Workers)
            return ManagerRoom.FreeWorker;
        return !record.Still && record.InFlight < record.Capacity && record.Bytes < settings.BytesPerManager ? ManagerRoom.Ahead : ManagerRoom.None;
    }

    private void Discount(ref ManagerRecord record)
    {
        if (record.State != ManagerState.Ready)
            return;
        ReadyCount--;
        ReadyByRuntimes[record.Runtimes]--;
        Workers -= record.Workers;
        Capacity -= record.Capacity;
        FreeWorkers -= Math.Max(0, record.Workers - record.InFlight);
        Surplus -= record.Surplus;
    }

    private void Recount(ref ManagerRecord record)
    {
        if (record.State != ManagerState.Ready)
            return;
        ReadyCount++;
        while (ReadyByRuntimes.Count <= record.Runtimes)
            ReadyByRuntimes.Add(0);
        ReadyByRuntimes[record.Runtimes]++;
        Workers += record.Workers;
        Capacity += record.Capacity;
        FreeWorkers += Math.Max(0, record.Workers - record.InFlight);
        Surplus += record.Surplus;
    }
}
