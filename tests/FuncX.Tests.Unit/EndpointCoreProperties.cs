using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using FuncX.Endpoint.Core;
using FuncX.Wire;

namespace FuncX.Tests.Unit;

/// <summary>Any order of events against a model of managers that hold what they were sent.</summary>
public sealed class EndpointCoreProperties
{
    private const int Names = 4;
    private const int Workers = 3;
    private const int Ahead = 2;

    [Property(MaxTest = 300)]
    public void Whatever_happens_every_task_is_in_one_place_and_ends_once(NonNegativeInt seed, PositiveInt length)
    {
        var model = new Model(new Random(seed.Get));
        for (var i = 0; i < 20 + (length.Get * 5); i++)
            model.Step();
        model.Finish();
    }

    private sealed class Model(Random random) : IEndpointEffects
    {
        private readonly EndpointCore _core = new(new CoreSettings
        {
            WorkersPerManager = Workers, Prefetch = Ahead, BlocksMin = 1, BlocksMax = 2, ReconnectGrace = 3_000_000, HeartbeatTimeout = 1_000_000_000_000,
        });

        private readonly Dictionary<int, TaskId> _idOfTicket = [];
        private readonly Dictionary<TaskId, string> _outcomes = [];
        private readonly HashSet<TaskId> _alone = [];
        private readonly List<string> _blocks = [];

        // What each manager process holds, by name; connected ones have a number.
        private readonly Dictionary<string, Dictionary<TaskId, int>> _held = [];
        private readonly Dictionary<int, string> _connected = [];
        private readonly BatchId _batch = BatchId.New(1);
        private long _now = 1;
        private uint _made;
        private bool _stopped;

        public void Step()
        {
            _now += random.Next(0, 400_000);
            switch (random.Next(12))
            {
                case 0 or 1 or 2:
                    for (var i = random.Next(1, 8); i > 0; i--)
                        Arrive();
                    break;
                case 3 or 4 or 5:
                    Answer();
                    break;
                case 6:
                    Connect($"m{random.Next(Names)}");
                    break;
                case 7:
                    Disconnect(dies: random.Next(2) == 0);
                    break;
                case 8:
                    Return();
                    break;
                case 9:
                    Cancel();
                    break;
                case 10:
                    if (_connected.Count > 0)
                        _core.OnManagerBlocked(_connected.Keys.ElementAt(random.Next(_connected.Count)), random.Next(2) == 0);
                    break;
                default:
                    _core.OnTick(_now, this);
                    break;
            }

            _core.Dispatch(_now, this);
            Check();
        }

        // Lets everything end: managers answer, the rest is cancelled by stopping; then every task that arrived has exactly one outcome.
        public void Finish()
        {
            foreach (var number in _connected.Keys)
                _core.OnManagerBlocked(number, false);
            Connect("last");
            for (var i = 0; i < 10_000 && (_core.Queued > 0 || _core.Running > 0); i++)
            {
                _now += 1_000_000;
                Answer();
                _core.OnTick(_now, this);
                _core.Dispatch(_now, this);
                if (_connected.Count == 0)
                    Connect("last");
                Check();
            }

            _stopped = true;
            _core.OnStop(this);
            if (_core.Queued != 0 || _core.Running != 0)
                throw new InvalidOperationException($"{_core.Queued} queued and {_core.Running} running tasks are left");
            if (_outcomes.Count != _made)
                throw new InvalidOperationException($"{_made} tasks came, {_outcomes.Count} ended");
        }

        public void SendTask(int manager, int ticket, int function, int owner)
        {
            if (!_connected.TryGetValue(manager, out var name))
                throw new InvalidOperationException($"task {ticket} was sent to manager {manager}, which is not connected");
            var id = _idOfTicket[ticket];
            if (_outcomes.ContainsKey(id))
                throw new InvalidOperationException($"{id} was sent after its end");
            if (_held.Values.Any(held => held.ContainsKey(id)))
                throw new InvalidOperationException($"{id} was sent while a manager holds it");
            var tasks = _held[name];
            if (tasks.Count >= Workers * (1 + Ahead))
                throw new InvalidOperationException($"manager {name} was sent a task beyond its capacity");
            if (tasks.Keys.Any(_alone.Contains) || (_alone.Contains(id) && tasks.Count > 0))
                throw new InvalidOperationException($"a task that runs alone shares manager {name}");
            tasks.Add(id, ticket);
        }

        public void CancelTask(int manager, int ticket, in TaskId task)
        {
        }

        public void RecallTasks(int manager, int count)
        {
        }

        public void EndTask(in EndedTask task)
        {
            End(task.Task, task.Outcome.ToString());

            // Its manager was given up on; should it live after all, its result is one too many and goes up unknown.
            foreach (var held in _held.Values)
                held.Remove(task.Task);
        }

        public void GiveBackTask(in EndedTask task) => End(task.Task, _stopped ? "given back" : throw new InvalidOperationException("given back before the stop"));

        public void Forget(int ticket) => _idOfTicket.Remove(ticket);

        public void CloseManager(int manager, string reason)
        {
        }

        public void ForgetManager(int manager)
        {
            if (_connected.ContainsKey(manager))
                throw new InvalidOperationException($"connected manager {manager} was forgotten");
        }

        public void RequestBlock(string block) => _blocks.Add(block);

        public void EndBlock(string block, string reason)
        {
        }

        private void End(TaskId id, string outcome)
        {
            if (!_outcomes.TryAdd(id, outcome))
                throw new InvalidOperationException($"{id} ended as {_outcomes[id]} and again as {outcome}");
        }

        private void Arrive()
        {
            var id = new TaskId(_batch, _made++);
            var alone = random.Next(15) == 0;
            if (alone)
                _alone.Add(id);
            var deadline = random.Next(10) == 0 ? _now + random.Next(1_000_000) : 0;
            var ticket = _core.OnTask(
                new TaskArrival { Task = id, Attempt = 1, Owner = random.Next(3), Priority = (byte)random.Next(3), Function = 1, Bytes = 100, Alone = alone, Deadline = deadline },
                _now);
            if (!_idOfTicket.TryAdd(ticket, id))
                throw new InvalidOperationException($"ticket {ticket} was given twice");
        }

        private void Answer()
        {
            foreach (var (number, name) in _connected)
            {
                foreach (var (id, ticket) in _held[name].Where(_ => random.Next(2) == 0).ToList())
                {
                    _held[name].Remove(id);
                    if (!_core.OnResult(number, (uint)ticket, id, 1, 10, _now, this, out _))
                        throw new InvalidOperationException($"the result of {id} was not known");
                    End(id, "value");
                }
            }
        }

        private void Connect(string name)
        {
            if (_connected.ContainsValue(name))
                return;
            if (!_held.TryGetValue(name, out var held))
                _held[name] = held = [];
            var number = _core.OnManagerConnected(name, "x1", _now);
            _connected.Add(number, name);
            _core.OnInventory(number, [.. held.Keys.Select(id => new InventoryEntry(id, 1, HeldState.Running))], _now, this);
        }

        private void Disconnect(bool dies)
        {
            if (_connected.Count == 0)
                return;
            var number = _connected.Keys.ElementAt(random.Next(_connected.Count));
            _connected.Remove(number, out var name);

            // Frames under way are lost with the connection: the newest tasks may not have arrived.
            if (dies)
                _held[name!].Clear();
            else if (_held[name!].Count > 0 && random.Next(2) == 0)
                _held[name!].Remove(_held[name!].Keys.Last());
            _core.OnManagerDisconnected(number, _now, this);
        }

        private void Return()
        {
            foreach (var (number, name) in _connected)
            {
                if (_held[name].Count == 0 || random.Next(2) == 0)
                    continue;
                var (id, ticket) = _held[name].Last();
                _held[name].Remove(id);
                _core.OnReturned(number, (uint)ticket, id, 1, this);
            }
        }

        private void Cancel()
        {
            var some = _idOfTicket.Values.Where(_ => random.Next(10) == 0).ToHashSet();
            _core.OnCancel(some, this);
        }

        private void Check()
        {
            var open = _made - _outcomes.Count;
            if (_core.Queued + _core.Running != open || _core.Queued < 0 || _core.Running < 0)
                throw new InvalidOperationException($"{open} tasks are open, the core has {_core.Queued} queued and {_core.Running} running");
            if (_core.WorkersBusy < 0 || _core.WorkersBusy > _core.Workers)
                throw new InvalidOperationException($"{_core.WorkersBusy} of {_core.Workers} workers are busy");
            if (_core.Capacity != _connected.Count * Workers * (1 + Ahead))
                throw new InvalidOperationException($"capacity is {_core.Capacity} with {_connected.Count} managers");
        }
    }
}
