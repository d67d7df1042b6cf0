using FuncX.Endpoint.Core;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Tasks whose function asks something of the node.</summary>
public sealed class EndpointCoreRequirementTests
{
    private const string New = "python>=3.12";

    private readonly CoreUnderTest _endpoint = new(new CoreSettings { WorkersPerManager = 2, Prefetch = 1 });

    [Fact]
    public void They_wait_until_the_managers_have_said_what_they_have_and_then_go_like_any_other()
    {
        var task = _endpoint.Task(requires: New);
        _endpoint.Turn().ShouldNotContain(static said => said.StartsWith("end", StringComparison.Ordinal), "no manager is there yet");
        var manager = _endpoint.Manager("one");
        _endpoint.Turn().ShouldBe([$"ask {manager}"]);
        _endpoint.Core.Queued.ShouldBe(1);
        _endpoint.Turn().ShouldBeEmpty("it is asked once");

        _endpoint.Runtimes(manager, "3.12.0");
        _endpoint.Turn().ShouldBe([$"send {task} to {manager}"]);
    }

    [Fact]
    public void They_end_at_once_when_no_manager_has_it()
    {
        var manager = _endpoint.Manager("one");
        _endpoint.Turn();
        var (task, other) = (_endpoint.Task(requires: New), _endpoint.Task());
        _endpoint.Turn().ShouldBe([$"ask {manager}", $"send {other} to {manager}"]);
        _endpoint.Runtimes(manager, "3.11.2");
        _endpoint.Turn().ShouldBe([$"end {task} Rejected", $"forget {task}"]);
        _endpoint.Core.Requirements.TextOf(_endpoint.Effects.Ended[0].Requirement).ShouldBe(New);

        var alone = _endpoint.Task(alone: true, requires: New);
        _endpoint.Turn().ShouldBe([$"end {alone} Rejected", $"forget {alone}"]);
        _endpoint.Core.Queued.ShouldBe(0);
    }

    [Fact]
    public void Where_nodes_differ_each_goes_to_one_that_has_it_and_waits_for_that()
    {
        var (old, young) = (_endpoint.Manager("old"), _endpoint.Manager("young"));
        var tasks = Enumerable.Range(0, 6).Select(_ => _endpoint.Task(requires: New)).ToList();
        _endpoint.Turn().ShouldBe([$"ask {old}", $"ask {young}"]);
        _endpoint.Runtimes(old, "3.11.2");
        _endpoint.Turn().ShouldBeEmpty("the other has not said");
        _endpoint.Runtimes(young, "3.13.1");

        // Two workers, one ahead each.
        _endpoint.Turn().ShouldBe(tasks.Take(4).Select(task => $"send {task} to {young}"));
        _endpoint.Core.Queued.ShouldBe(2);
        _endpoint.Turn().ShouldBeEmpty();
        var (manager, ticket) = _endpoint.Effects.Sent.Dequeue();
        _endpoint.Core.OnResult(manager, (uint)ticket, CoreUnderTest.Id(0), 1, 10, _endpoint.Now, _endpoint.Effects, out _).ShouldBeTrue();
        _endpoint.Turn().ShouldContain($"send {tasks[4]} to {young}");

        // One that runs alone too.
        _endpoint.Core.OnManagerDisconnected(old, _endpoint.Now, _endpoint.Effects);
        _endpoint.Turn();
        var late = _endpoint.Manager("late");
        _endpoint.Turn().ShouldContain($"ask {late}");
    }

    [Fact]
    public void None_is_said_only_once_a_manager_that_has_gone_had_time_to_come_back()
    {
        var (old, young) = (_endpoint.Manager("old"), _endpoint.Manager("young"));
        _endpoint.Task(requires: New);
        _endpoint.Turn();
        _endpoint.Runtimes(old, "3.11.2");
        _endpoint.Runtimes(young, "3.12.0");
        _endpoint.Core.OnManagerDisconnected(young, _endpoint.Now, _endpoint.Effects);
        _endpoint.Turn();

        var task = _endpoint.Task(requires: New);
        _endpoint.Turn().ShouldBeEmpty("the other may come back");
        var back = _endpoint.Manager("young");
        _endpoint.Turn();
        _endpoint.Runtimes(back, "3.12.0");
        _endpoint.Turn().ShouldContain($"send {task} to {back}");

        _endpoint.Core.OnManagerDisconnected(back, _endpoint.Now, _endpoint.Effects);
        var late = _endpoint.Task(requires: New);
        _endpoint.Turn().ShouldBeEmpty();
        _endpoint.Now += 6_000_000;
        _endpoint.Turn().ShouldBe([$"end {late} Rejected", $"forget {late}"]);
    }

    [Fact]
    public void A_node_of_another_kind_that_comes_later_gets_none_of_those_that_wait()
    {
        var young = _endpoint.Manager("young");
        _endpoint.Task(requires: New);
        _endpoint.Turn();
        _endpoint.Runtimes(young, "3.12.0");
        for (var i = 0; i < 8; i++)
            _endpoint.Task(requires: New);
        _endpoint.Turn();
        var old = _endpoint.Manager("old");
        _endpoint.Turn().ShouldBe([$"ask {old}"]);
        _endpoint.Runtimes(old, "3.11.2");
        _endpoint.Turn().ShouldBeEmpty();
        _endpoint.Core.Queued.ShouldBe(5);
        _endpoint.Core.OnCancel(new HashSet<TaskId> { CoreUnderTest.Id(8) }, _endpoint.Effects);
        _endpoint.Core.Queued.ShouldBe(4);
    }
}
