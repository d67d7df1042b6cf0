using FsCheck.Xunit;
using FuncX.Contracts.V1;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Shouldly;

namespace FuncX.Tests.Unit.ServiceTasks;

public sealed class ServiceTasksPropertyTests
{
    private static readonly Described Ended = new(SlotState.Done, 0, 0, false);

    private readonly record struct Described(SlotState State, ushort Attempt, ushort Losses, bool CancelAsked);

    /// <summary>Submissions, some of which run after others, results of all kinds, cancels, reconnects of the same and of new processes, restarts and indexing in any order.</summary>
    [Property(MaxTest = 25)]
    public async Task<bool> Each_accepted_task_ends_exactly_once_and_a_restart_changes_nothing(int seed)
    {
        using var harness = new EngineHarness();
        var random = new Random(seed);
        var accepted = new HashSet<TaskId>();
        var after = new Dictionary<TaskId, List<TaskId>>();
        var values = new HashSet<TaskId>();
        var atEndpoint = new Dictionary<TaskId, ushort>();
        var instance = 0;
        LinkSession? link = null;
        LinkReceiver? receiver = null;
        ulong sequence = 0;
        for (var step = 0; step < 60; step++)
            await StepAsync(step, random.Next(10));
        await ConnectAsync();
        for (var round = 0; round < 20; round++)
        {
            await TakeAsync();
            await FinishAsync(atEndpoint.Count, onlyValues: true);
        }

        receiver?.Dispose();
        var outcomes = EngineHarness.Outcomes(accepted.Count == 0 ? [] : await harness.ReadAsync());
        outcomes.Keys.ShouldBe(accepted, ignoreOrder: true);
        foreach (var (task, outcome) in outcomes)
            (outcome == Outcome.Rejected || outcome == Outcome.Cancelled || !Before(task).Exists(before => outcomes[before] != Outcome.Value)).ShouldBeTrue($"seed {seed}: {task} ended as {outcome} after what failed");
        outcomes.Where(task => task.Value == Outcome.Rejected && !Before(task.Key).Exists(before => outcomes[before] != Outcome.Value)).ShouldBeEmpty($"seed {seed}: rejected after what did not fail");
        return true;

        List<TaskId> Before(TaskId task) => after.GetValueOrDefault(task) ?? [];

        async Task StepAsync(int step, int kind)
        {
            switch (kind)
            {
                case 0 or 1 or 2:
                    var batch = harness.Batch(random.Next(1, 6), attempts: (ushort)random.Next(1, 4));
                    var names = accepted.Count > 0 && random.Next(3) == 0 ? Enumerable.Range(0, random.Next(1, 4)).Select(_ => Named()).ToList() : [];
                    if (names.Count > 0)
                        batch = batch with { After = (await new DependencyReader(harness.Engine, harness.TaskReader()).ReadAsync(batch with { After = names })).After! };
                    (await harness.Engine.SubmitAsync(batch, "e", "f", inline: true)).ShouldBe(SubmitOutcome.Accepted);
                    for (var index = 0u; index < batch.Count; index++)
                    {
                        accepted.Add(new TaskId(batch.Key.Id, index));
                        after.Add(new TaskId(batch.Key.Id, index), [.. names.SelectMany(name => accepted.Where(task => task.Batch == name.Batch && task.Batch != batch.Key.Id && (name.Index < 0 || task.Index == name.Index)))]);
                    }

                    break;
                case 3 or 4 when link is not null:
                    await TakeAsync();
                    await FinishAsync(random.Next(1, 8), onlyValues: false);
                    break;
                case 5 when accepted.Count > 0:
                    await harness.Engine.CancelAsync(EngineHarness.Owner, [accepted.ElementAt(random.Next(accepted.Count))], null);
                    break;
                case 6:
                    await ConnectAsync();
                    break;
                case 7 when link is not null:
                    harness.Engine.Disconnect(link);
                    link = null;
                    break;
                case 8:
                    // A stop that the endpoint has seen, or a kill in the middle of its work.
                    if (link is not null && random.Next(2) == 0)
                        harness.Engine.Disconnect(link);
                    link = null;
                    var (before, picture) = (await DescribeAsync(), await harness.Engine.PictureAsync());
                    harness.Restart();
                    var restarted = await DescribeAsync();
                    var asked = before.Where(static task => task.Value is { State: SlotState.Dispatched, CancelAsked: true }).Select(static task => task.Key).ToList();
                    // The start itself ends what was to be cancelled at endpoints that are gone now, with what waits for it, and nothing else.
                    for (var ending = asked; ending.Count > 0; ending = [.. before.Keys.Where(task => before[task] != Ended && Before(task).Exists(ending.Contains))])
                    {
                        foreach (var task in ending)
                            before[task] = Ended;
                    }

                    restarted.Keys.ShouldBe(before.Keys, ignoreOrder: true);
                    restarted.Where(task => before[task.Key] != task.Value).Select(task => $"{task.Key}: {before[task.Key]} became {task.Value}").ShouldBeEmpty($"seed {seed}, step {step}");
                    if (asked.Count == 0)
                        (await harness.Engine.PictureAsync()).ShouldBe(picture);
                    break;
                case 9:
                    await harness.Engine.IndexAllAsync();
                    break;
            }
        }

        Dependency Named()
        {
            var task = accepted.ElementAt(random.Next(accepted.Count));
            return new Dependency(task.Batch, random.Next(2) == 0 ? (int)task.Index : Dependency.Whole);
        }

        async Task<Dictionary<TaskId, Described>> DescribeAsync()
        {
            // A turn hands tasks out after its last event, which may be a look: another look sees what it left.
            await harness.Engine.LookAsync(static _ => true);
            var (waiting, waits) = await harness.Engine.LookAsync(static state => (state.Groups.Values.Sum(static group => group.Waiting), state.Dependents.WaitsOf(EngineHarness.Owner)));
            var held = await harness.Engine.LookAsync(static state => state.Batches.Values.Where(static batch => batch.Waits is not null).Select(static batch => (batch.Queued, batch.Waits!.Count)).ToList());
            (waiting, waits).ShouldBe((held.Sum(static batch => batch.Queued), held.Sum(static batch => batch.Count)), $"seed {seed}");
            return await harness.Engine.LookAsync(Describe);
        }

        static Dictionary<TaskId, Described> Describe(LiveState state) => state.Batches.Values
            .SelectMany(static batch => Enumerable.Range(0, batch.Count).Select(index => (Task: new TaskId(batch.Key.Id, (uint)index), Slot: batch.Finished ? new TaskSlot { State = SlotState.Done } : batch.Slots[index])))
            .ToDictionary(static task => task.Task, static task => task.Slot.State == SlotState.Done ? Ended : new(task.Slot.State, task.Slot.Attempt, task.Slot.Losses, task.Slot.CancelAsked));

        async Task ConnectAsync()
        {
            receiver?.Dispose();
            if (random.Next(2) == 0)
            {
                instance++;
                // A new process has lost some of what the old one had.
                foreach (var task in atEndpoint.Keys.ToList())
                {
                    if (random.Next(2) == 0)
                        atEndpoint.Remove(task);
                }
            }

            link = await harness.ConnectAsync($"process-{instance}", [.. atEndpoint.Select(task => new InventoryEntry(task.Key, task.Value, HeldState.Running))]);
            receiver = harness.Receiver(link);
            sequence = 0;
        }

        async Task TakeAsync()
        {
            foreach (var (task, attempt) in (await harness.TakeAsync(link!)).Tasks)
            {
                Before(task).Where(before => !values.Contains(before)).ShouldBeEmpty($"seed {seed}: {task} was handed out too early");
                atEndpoint[task] = attempt;
            }
        }

        async Task FinishAsync(int count, bool onlyValues)
        {
            foreach (var (task, attempt) in atEndpoint.Take(count).ToList())
            {
                var outcome = onlyValues ? TaskOutcome.Value : random.Next(5) switch { 0 => TaskOutcome.AttemptLost, 1 => TaskOutcome.Exception, _ => TaskOutcome.Value };
                await receiver!.ReceiveAsync(EngineHarness.Message(++sequence, (task, attempt, outcome, [1, 2, 3])), inline: random.Next(2) == 0);
                atEndpoint.Remove(task);
                if (outcome == TaskOutcome.Value)
                    values.Add(task);
            }
        }
    }

    [Property(MaxTest = 10)]
    public async Task<bool> The_state_after_a_restart_is_the_state_before(int seed)
    {
        using var harness = new EngineHarness();
        var random = new Random(seed);
        var link = await harness.ConnectAsync();
        using (var receiver = harness.Receiver(link))
        {
            for (var round = 1ul; round < 12; round++)
            {
                await harness.SubmitAsync(random.Next(1, 20), group: $"g{random.Next(3)}");
                var sent = await harness.TakeAsync(link);
                var some = sent.Tasks.Where(_ => random.Next(3) > 0).ToArray();
                await receiver.ReceiveAsync(
                    EngineHarness.Message(round, [.. some.Select(task => (task.Task, task.Attempt, random.Next(4) == 0 ? TaskOutcome.AttemptLost : TaskOutcome.Value, new byte[random.Next(9)]))]), inline: true);
                if (random.Next(4) == 0)
                    await harness.Engine.IndexAllAsync();
                if (random.Next(6) == 0)
                    await harness.Engine.SnapshotAsync();
            }
        }

        harness.Engine.Disconnect(link);
        var before = await harness.Engine.PictureAsync();
        harness.Restart();
        return (await harness.Engine.PictureAsync()).AsSpan().SequenceEqual(before);
    }
}
