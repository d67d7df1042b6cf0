using System.Globalization;
using FuncX.Endpoint.Core;
using FuncX.Wire;

namespace FuncX.Tests.Unit;

/// <summary>Writes down every effect as a short sentence, in order.</summary>
internal sealed class RecordedEffects : IEndpointEffects
{
    public List<string> Said { get; } = [];

    public List<EndedTask> Ended { get; } = [];

    public List<EndedTask> GivenBack { get; } = [];

    public Queue<(int Manager, int Ticket)> Sent { get; } = new();

    public List<string> Take()
    {
        var said = Said.ToList();
        Said.Clear();
        return said;
    }

    public void SendTask(int manager, int ticket, int function, int owner)
    {
        Sent.Enqueue((manager, ticket));
        Say($"send {ticket} to {manager}");
    }

    public void CancelTask(int manager, int ticket, in TaskId task) => Say($"cancel {ticket} at {manager}");

    public void RecallTasks(int manager, int count) => Say($"recall {count} from {manager}");

    public void EndTask(in EndedTask task)
    {
        Ended.Add(task);
        Say($"end {task.Ticket} {task.Outcome}");
    }

    public void GiveBackTask(in EndedTask task)
    {
        GivenBack.Add(task);
        Say($"give back {task.Ticket}");
    }

    public void Forget(int ticket) => Say($"forget {ticket}");

    public void AskRuntimes(int manager) => Say($"ask {manager}");

    public void CloseManager(int manager, string block, string reason) => Say($"close {manager} of {block}");

    public void ForgetManager(int manager) => Say($"forget manager {manager}");

    public void RequestBlock(string block) => Say($"request {block}");

    public void EndBlock(string block, string reason) => Say($"end block {block}");

    private void Say(FormattableString said) => Said.Add(said.ToString(CultureInfo.InvariantCulture));
}

/// <summary>A core with its effects and a clock that the test moves.</summary>
internal sealed class CoreUnderTest(CoreSettings settings)
{
    public static readonly BatchId Batch = BatchId.New(1_700_000_000_000);

    private uint _next;

    public EndpointCore Core { get; } = new(settings);

    public RecordedEffects Effects { get; } = new();

    public long Now { get; set; } = 1_000_000;

    public static TaskId Id(uint index) => new(Batch, index);

    public int Manager(string name, string block = "x1", params InventoryEntry[] inventory)
    {
        var manager = Core.OnManagerConnected(name, block, Now);
        Core.OnInventory(manager, inventory, Now, Effects);
        return manager;
    }

    /// <summary>One whose job ends so many seconds from now.</summary>
    public int ManagerFor(double seconds, string name, string block = "x1")
    {
        var manager = Core.OnManagerConnected(name, block, Now, Now + (long)(seconds * 1_000_000));
        Core.OnInventory(manager, [], Now, Effects);
        return manager;
    }

    public int Task(int owner = 1, byte priority = 0, bool alone = false, long deadline = 0, int bytes = 100, string requires = "", uint walltime = 0) => Core.OnTask(
        new TaskArrival { Task = Id(_next++), Attempt = 1, Function = 1, Owner = owner, Priority = priority, Alone = alone, Deadline = deadline, Bytes = bytes, Epoch = 1, Requirement = Core.Requirements.NumberOf(requires), Walltime = walltime },
        Now);

    public void Runtimes(int manager, string python) => Core.OnRuntimes(manager, Core.Requirements.NumberOf(new Dictionary<string, string> { ["python"] = python }));

    public List<string> Turn()
    {
        Core.Dispatch(Now, Effects);
        return Effects.Take();
    }

    public List<string> Tick(long later = 1_000_000)
    {
        Now += later;
        Core.OnTick(Now, Effects);
        return Turn();
    }

    public List<string> Result(int manager, int ticket, uint task, long microseconds = 100_000)
    {
        Core.OnResult(manager, (uint)ticket, Id(task), 1, microseconds, Now, Effects, out _);
        return Turn();
    }
}

internal static class CoreUnderTestExtensions
{
    /// <summary>The task that has the ticket now.</summary>
    public static TaskId IdOf(this CoreUnderTest test, int ticket)
    {
        test.Core.TryDescribe(ticket, out var entry);
        return entry.Task;
    }
}
