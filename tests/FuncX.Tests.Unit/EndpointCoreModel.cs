using FuncX.Endpoint.Core;
using FuncX.Wire;

namespace FuncX.Tests.Unit;

/// <summary>
/// What surrounds an endpoint's core, played at random: tasks come, are cancelled and expire; managers answer, give back, break off, die and come back late,
/// when the core may have given them up; blocks start and end; dispatch is paused; the endpoint's process is killed and a new core asks all around what is
/// held. After each event the core must have exactly the attempts that it was given or found with a manager and that have not ended.
/// </summary>
internal sealed class EndpointCoreModel(Random random) : IEndpointEffects
{
    private const int Workers = 3;
    private const int Ahead = 2;
    private const int MostProcesses = 4;
    private const uint LongMilliseconds = 3_000;

    // The service: the attempt that counts of each task that has not ended, and those on their way to the core.
    private readonly Dictionary<TaskId, ushort> _current = [];
    private readonly Queue<Attempt> _onTheWay = new();
    private readonly HashSet<TaskId> _alone = [];

    // The node side: processes, those with a connection by their number, and blocks that the core has asked for or wants to end.
    private readonly List<Process> _processes = [];
    private readonly Dictionary<int, Process> _connected = [];
    private readonly List<string> _requested = [];
    private readonly HashSet<string> _ending = [];

    // Blocks that have ended, and whose processes are there all the same.
    private readonly HashSet<string> _over = [];

    // The core: what it was given and has not ended, by attempt and by ticket.
    private readonly HashSet<Attempt> _given = [];
    private readonly Dictionary<int, Attempt> _tickets = [];
    private readonly BatchId _batch = BatchId.New(1);
    private EndpointCore _core = NewCore(0);
    private Process? _opening;
    private long _now = 1;
    private uint _made;
    private int _named;
    private bool _stopped;

    // Managers that were asked for their runtimes, and those that have answered, by their number.
    private readonly Queue<int> _asked = new();
    private readonly HashSet<int> _answered = [];

    private readonly record struct Attempt(TaskId Task, ushort Number);

    private sealed record Process(string Name, string Block)
    {
        /// <summary>It has what the tasks that require something require.</summary>
        public bool IsNew { get; } = int.Parse(Name[1..]) / 2 % 2 == 0;

        /// <summary>When it ends with its job, as it says when it connects.</summary>
        public long EndsAt { get; init; } = long.MaxValue;

        /// <summary>What it holds, with the ticket it came with: that of the core that sent it.</summary>
        public Dictionary<Attempt, int> Held { get; } = [];
    }

    public void Step()
    {
        _now += random.Next(0, 400_000);
        switch (random.Next(18))
        {
            case 0 or 1 or 2:
                for (var i = random.Next(1, 8); i > 0; i--)
                    Submit();
                break;
            case 3 or 4 or 5:
                Answer();
                break;
            case 6 or 7:
                Connect();
                break;
            case 8:
                Disconnect();
                break;
            case 9:
                Return();
                break;
            case 10:
                Cancel();
                break;
            case 11:
                if (_connected.Count > 0)
                    _core.OnManagerBlocked(Any(_connected.Keys), random.Next(2) == 0);
                break;
            case 12:
                _core.Paused = random.Next(2) == 0;
                break;
            case 13:
                EndSomeBlock();
                break;
            case 14:
                StartBlock();
                break;
            case 15:
                if (random.Next(3) == 0)
                    Restart();
                break;
            default:
                _core.OnTick(_now, this);
                break;
        }

        Arrive();
        _core.Dispatch(_now, this);
        Check();
    }

    /// <summary>Lets everything end: no task may be left, however often its attempts were lost.</summary>
    public void Finish()
    {
        _core.Paused = false;
        for (var i = 0; i < 10_000 && (_current.Count > 0 || Known().Count > 0); i++)
        {
            _now += 1_000_000;
            // One that every task can run on.
            if (!_connected.Values.Any(process => !Leaves(process.Block) && process is { IsNew: true, EndsAt: long.MaxValue }))
                Dial(Start($"x{++_named}"));
            foreach (var number in _connected.Keys)
                _core.OnManagerBlocked(number, false);
            Answer();
            Arrive();
            _core.OnTick(_now, this);
            _core.Dispatch(_now, this);
            Check();
        }

        if (_current.Count > 0 || Known().Count > 0)
            throw new InvalidOperationException($"{_current.Count} tasks have no outcome, the core has {_core.Queued} queued and {_core.Running} running");
    }

    /// <summary>Stops the endpoint: what waits goes back at once, what runs ends, and what was at a manager that has gone is not told as lost.</summary>
    public void Stop()
    {
        _stopped = true;
        _core.OnStop(this);
        Submit();
        Arrive();
        _core.Dispatch(_now, this);
        if (_core.Queued > 0)
            throw new InvalidOperationException($"{_core.Queued} tasks are queued after the stop");
        for (var i = 0; i < 1_000 && AtManagers() > 0; i++)
        {
            _now += 1_000_000;
            Answer();
            _core.OnTick(_now, this);
            _core.Dispatch(_now, this);
            Check();
        }

        if (AtManagers() > 0)
            throw new InvalidOperationException($"{AtManagers()} tasks still run at managers after the stop");

        int AtManagers() => Known().Count(attempt => _connected.Values.Any(process => process.Held.ContainsKey(attempt)));
    }

    public void SendTask(int manager, int ticket, int function, int owner)
    {
        var attempt = _tickets[ticket];
        if (_stopped || _core.Paused)
            throw new InvalidOperationException($"{attempt} was sent by a core that is {(_stopped ? "stopping" : "paused")}");
        if (!_connected.TryGetValue(manager, out var process))
            throw new InvalidOperationException($"{attempt} was sent to manager {manager}, which is not connected");
        if (Leaves(process.Block))
            throw new InvalidOperationException($"{attempt} was sent to a manager of block {process.Block}, which is to end or has ended");
        if (!_given.Contains(attempt))
            throw new InvalidOperationException($"{attempt} was sent after its end");
        if (_processes.Exists(other => other.Held.ContainsKey(attempt)))
            throw new InvalidOperationException($"{attempt} was sent while a manager holds it");
        var known = Known();
        var at = process.Held.Keys.Where(known.Contains).ToList();
        if (at.Count >= Workers * (1 + Ahead))
            throw new InvalidOperationException($"manager {process.Name} was sent a task beyond its capacity");
        if (at.Exists(held => _given.Contains(held) && _alone.Contains(held.Task)) || (_alone.Contains(attempt.Task) && at.Count > 0))
            throw new InvalidOperationException($"a task that runs alone shares manager {process.Name}");
        if (IsLong(attempt.Task) && process.EndsAt - _now < LongMilliseconds * 1000)
            throw new InvalidOperationException($"{attempt} was sent to manager {process.Name}, which ends before its walltime");
        if (IsDemanding(attempt.Task) && !(process.IsNew && _answered.Contains(manager)))
            throw new InvalidOperationException($"{attempt} was sent to manager {process.Name}, which has not what it requires, or did not say so");
        process.Held.Add(attempt, ticket);
    }

    public void AskRuntimes(int manager) => _asked.Enqueue(manager);

    public void CancelTask(int manager, int ticket, in TaskId task)
    {
    }

    public void RecallTasks(int manager, int count)
    {
    }

    public void EndTask(in EndedTask task)
    {
        var attempt = new Attempt(task.Task, task.Attempt);
        _given.Remove(attempt);
        if (task.Outcome == TaskOutcome.Rejected && (!IsDemanding(task.Task) || _connected.Any(entry => entry.Value.IsNew && _answered.Contains(entry.Key) && !Leaves(entry.Value.Block) && entry.Value != _opening)))
            throw new InvalidOperationException($"{attempt} was rejected although a manager has what it requires");
        if (task.Outcome == TaskOutcome.AttemptLost)
            Again(attempt);
        else
            _current.Remove(task.Task);
    }

    public void GiveBackTask(in EndedTask task)
    {
        var attempt = new Attempt(task.Task, task.Attempt);
        if (!_given.Remove(attempt) && _opening is { } process && process.Held.ContainsKey(attempt))
            throw new InvalidOperationException($"{attempt} was given back although manager {process.Name} has just said that it holds it");
        Again(attempt);
    }

    public void Forget(int ticket) => _tickets.Remove(ticket);

    public void CloseManager(int manager, string block, string reason)
    {
    }

    public void ForgetManager(int manager)
    {
        _answered.Remove(manager);
        if (_connected.ContainsKey(manager))
            throw new InvalidOperationException($"connected manager {manager} was forgotten");
    }

    public void RequestBlock(string block) => _requested.Add(block);

    public void EndBlock(string block, string reason)
    {
        if (!_requested.Remove(block))
            _ending.Add(block);
    }

    private static EndpointCore NewCore(int number) => new(new CoreSettings
    {
        // Names of blocks are new in every process of an endpoint.
        BlockPrefix = $"b{number}-",
        WorkersPerManager = Workers,
        Prefetch = Ahead,
        BlocksMin = 1,
        BlocksMax = 2,
        BlockIdle = 5_000_000,
        ReconnectGrace = 3_000_000,
        HeartbeatTimeout = 1_000_000_000_000,
    });

    private T Any<T>(IEnumerable<T> some) => some.ElementAt(random.Next(some.Count()));

    // The service.
    private void Submit()
    {
        var task = new TaskId(_batch, _made++);
        if (random.Next(15) == 0)
            _alone.Add(task);
        _current.Add(task, 1);
        _onTheWay.Enqueue(new Attempt(task, 1));
    }

    private void Again(Attempt lost)
    {
        if (!_current.TryGetValue(lost.Task, out var current) || current != lost.Number)
            return;
        _current[lost.Task]++;
        _onTheWay.Enqueue(new Attempt(lost.Task, _current[lost.Task]));
    }

    private void Arrive()
    {
        while (_onTheWay.TryDequeue(out var attempt))
        {
            var deadline = random.Next(10) == 0 ? _now + random.Next(1_000_000) : 0;
            var ticket = _core.OnTask(
                new TaskArrival
                {
                    Task = attempt.Task,
                    Attempt = attempt.Number,
                    Owner = random.Next(3),
                    Priority = (byte)random.Next(3),
                    Function = 1,
                    Bytes = 100,
                    Alone = _alone.Contains(attempt.Task),
                    Deadline = deadline,
                    Walltime = IsLong(attempt.Task) ? LongMilliseconds : 0,
                    Requirement = IsDemanding(attempt.Task) ? _core.Requirements.NumberOf("python>=3.12") : 0,
                },
                _now);
            _given.Add(attempt);
            if (!_tickets.TryAdd(ticket, attempt))
                throw new InvalidOperationException($"ticket {ticket} was given twice");
        }
    }

    private void Cancel() => _core.OnCancel(_current.Keys.Where(_ => random.Next(10) == 0).ToHashSet(), this);

    private static bool IsLong(TaskId task) => task.Index % 5 == 2;

    private static bool IsDemanding(TaskId task) => task.Index % 4 == 3;

    private void Describe()
    {
        while (_asked.TryDequeue(out var number))
        {
            if (_connected.TryGetValue(number, out var process) && _answered.Add(number))
                _core.OnRuntimes(number, _core.Requirements.NumberOf(new Dictionary<string, string> { ["python"] = process.IsNew ? "3.12.1" : "3.11.2" }));
        }
    }

    // Managers.
    private void Answer()
    {
        if (random.Next(2) == 0)
            Describe();
        foreach (var (number, process) in _connected)
        {
            foreach (var (attempt, ticket) in process.Held.Where(_ => random.Next(2) == 0).ToList())
            {
                process.Held.Remove(attempt);
                var open = Known().Contains(attempt);
                if (_core.OnResult(number, (uint)ticket, attempt.Task, attempt.Number, 10, _now, this, out _) != open)
                    throw new InvalidOperationException($"the result of {attempt} was {(open ? "not known although the core has it" : "known although it had ended")}");
                _given.Remove(attempt);
                // Also one of an attempt that counts as lost: the first result is the task's.
                _current.Remove(attempt.Task);
            }
        }
    }

    private void Return()
    {
        foreach (var (number, process) in _connected)
        {
            if (process.Held.Count == 0 || random.Next(2) == 0)
                continue;
            var (attempt, ticket) = process.Held.Last();
            process.Held.Remove(attempt);
            _core.OnReturned(number, (uint)ticket, attempt.Task, attempt.Number, this);
        }
    }

    private void Connect()
    {
        var away = _processes.Where(process => !_connected.ContainsValue(process)).ToList();
        if (away.Count == 0)
        {
            if (_processes.Count < MostProcesses)
                Dial(Start(random.Next(2) == 0 && !_over.Contains("x1") ? "x1" : $"x{++_named}"));
            return;
        }

        // One whose block has ended is refused, and gives up.
        var process = Any(away);
        if (_over.Contains(process.Block))
            _processes.Remove(process);
        else
            Dial(process);
    }

    private Process Start(string block)
    {
        var process = new Process($"m{++_named}", block) { EndsAt = random.Next(3) == 0 ? _now + random.Next(10_000_000) : long.MaxValue };
        _processes.Add(process);
        return process;
    }

    private void Dial(Process process)
    {
        var number = _core.OnManagerConnected(process.Name, process.Block, _now, process.EndsAt);
        _connected.Add(number, process);
        _opening = process;
        _core.OnInventory(number, [.. process.Held.Keys.Select(static held => new InventoryEntry(held.Task, held.Number, HeldState.Running))], _now, this);
        _opening = null;
    }

    private void Disconnect()
    {
        if (_connected.Count == 0)
            return;
        var (number, process) = Any(_connected);
        switch (random.Next(3))
        {
            case 0:
                _processes.Remove(process);
                break;
            case 1 when process.Held.Count > 0:
                // Frames under way are lost with the connection: the newest task may not have arrived.
                process.Held.Remove(process.Held.Keys.Last());
                break;
        }

        HangUp(number);
    }

    private void HangUp(int number)
    {
        _connected.Remove(number);
        _core.OnManagerDisconnected(number, _now, this);
    }

    // Blocks.
    private void StartBlock()
    {
        if (_requested.Count == 0 || _processes.Count >= MostProcesses)
            return;
        var block = Any(_requested);
        _requested.Remove(block);
        if (random.Next(4) == 0)
        {
            _core.OnBlockEnded(block, "it did not start", _now, this);
            return;
        }

        _core.OnBlockRunning(block);
        Dial(Start(block));
    }

    private bool Leaves(string block) => _ending.Contains(block) || _over.Contains(block);

    // With all its processes; the provider says so before or after their connections break. Or it says so of one whose processes go on.
    private void EndSomeBlock()
    {
        if (_processes.Count == 0)
            return;
        var block = _ending.Count > 0 && random.Next(2) == 0 ? Any(_ending) : Any(_processes).Block;
        _ending.Remove(block);
        if (random.Next(4) == 0)
        {
            _over.Add(block);
            _core.OnBlockEnded(block, "nobody knows it any more", _now, this);
            if (_core.HasBlock(block))
                throw new InvalidOperationException($"block {block} has ended, and the core has it");
            return;
        }

        _processes.RemoveAll(process => process.Block == block);
        var numbers = _connected.Where(entry => entry.Value.Block == block).Select(static entry => entry.Key).ToList();
        var first = random.Next(2) == 0;
        if (first)
            _core.OnBlockEnded(block, "it ended", _now, this);
        foreach (var number in numbers)
            HangUp(number);
        if (!first)
            _core.OnBlockEnded(block, "it ended", _now, this);
    }

    // The endpoint's process.
    private void Restart()
    {
        _core = NewCore(++_named);
        _given.Clear();
        _tickets.Clear();
        _connected.Clear();
        _asked.Clear();
        _answered.Clear();
        _requested.Clear();
        _ending.Clear();
        // The next process knows no secret of theirs.
        _processes.RemoveAll(process => _over.Contains(process.Block));
        _over.Clear();
        // Some managers are back before the link to the service is, some late.
        foreach (var process in _processes.Where(_ => random.Next(3) > 0).ToList())
            Dial(process);
        // The service is told what is held; what it does not hear of has to run again.
        var held = Known();
        foreach (var attempt in _current.Select(static task => new Attempt(task.Key, task.Value)).Where(attempt => !held.Contains(attempt)).ToList())
            Again(attempt);
    }

    private HashSet<Attempt> Known()
    {
        var known = new HashSet<Attempt>();
        for (var ticket = 0; ticket < _core.TicketBound; ticket++)
        {
            if (_core.TryDescribe(ticket, out var entry) && !known.Add(new Attempt(entry.Task, entry.Attempt)))
                throw new InvalidOperationException($"the core has attempt {entry.Attempt} of {entry.Task} twice");
        }

        return known;
    }

    private void Check()
    {
        var known = Known();
        if (_core.Queued + _core.Running != known.Count || _core.Queued < 0 || _core.Running < 0)
            throw new InvalidOperationException($"{known.Count} attempts are open, the core has {_core.Queued} queued and {_core.Running} running");
        if (_given.Except(known).ToList() is [var lost, ..])
            throw new InvalidOperationException($"{lost} was given to the core, has not ended and is not there");
        if (_tickets.Count != _given.Count)
            throw new InvalidOperationException($"{_tickets.Count} tickets are out for {_given.Count} attempts");
        if (_core.WorkersBusy < 0 || _core.WorkersBusy > _core.Workers)
            throw new InvalidOperationException($"{_core.WorkersBusy} of {_core.Workers} workers are busy");
        var taking = _connected.Values.Count(process => !Leaves(process.Block));
        if (_core.Capacity != taking * Workers * (1 + Ahead))
            throw new InvalidOperationException($"capacity is {_core.Capacity} with {taking} managers");
        foreach (var number in _connected.Keys)
        {
            if (_core.InFlightAt(number) < 0)
                throw new InvalidOperationException($"{_core.InFlightAt(number)} tasks are in flight at manager {number}");
        }
    }
}
