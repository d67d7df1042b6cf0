using BenchmarkDotNet.Attributes;
using FuncX.Endpoint.Core;
using FuncX.Tests.Unit;
using FuncX.Wire;

namespace FuncX.Microbenchmarks;

/// <summary>A task through the endpoint's core: arrival, decision, result. Nothing is allocated, and the cost does not grow with the managers.</summary>
[MemoryDiagnoser]
public class CoreBenchmarks
{
    private const int Tasks = 8_192;
    private readonly BatchId _batch = BatchId.New(1_700_000_000_000);
    private readonly CoreOutbox _outbox = new(Tasks);
    private EndpointCore _core = null!;
    private long _now;

    [Params(1, 64, 2_048)]
    public int Managers { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _core = new EndpointCore(new CoreSettings { WorkersPerManager = 64, BlocksMax = 1 });
        _now = 1;
        _core.OnBlockRunning("b");
        for (var i = 0; i < Managers; i++)
        {
            var manager = _core.OnManagerConnected($"m{i}", "b", _now);
            _core.OnInventory(manager, [], _now, _outbox);
        }

        // The tables grow to their size once.
        for (var i = 0; i < 4; i++)
            ArriveDecideAnswer();
    }

    [Benchmark(OperationsPerInvoke = Tasks)]
    public long ArriveDecideAnswer()
    {
        for (var i = 0; i < Tasks; i++)
            _core.OnTask(new TaskArrival { Task = new TaskId(_batch, (uint)i), Attempt = 1, Epoch = 1, Function = 1, Owner = 1, Bytes = 80 }, _now);
        for (var answered = 0; answered < Tasks;)
        {
            _outbox.Clear();
            _core.Dispatch(++_now, _outbox);
            for (var i = 0; i < _outbox.Count; i++)
            {
                var (manager, ticket) = _outbox[i];
                _core.TryDescribe(ticket, out var entry);
                _core.OnResult(manager, (uint)ticket, entry.Task, entry.Attempt, 10, _now, _outbox, out _);
            }

            answered += _outbox.Count;
            if (_outbox.Count == 0)
                throw new InvalidOperationException($"{Tasks - answered} tasks are not sent although every manager is idle");
        }

        return _core.Completed;
    }
}
