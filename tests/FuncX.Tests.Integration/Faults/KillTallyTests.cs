using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Faults;

/// <summary>The rule of the kill schedule on made-up counters: it must be able to say no.</summary>
public sealed class KillTallyTests
{
    private const int BusyManager = 10;
    private const int IdleManager = 20;
    private const int BusyZygote = 11;
    private const int IdleZygote = 21;
    private const int BusyWorker = 12;
    private const int IdleWorker = 22;

    private static readonly HopCounters Busy = new()
    {
        Client = new SubmitterCounts(Planned: 300, Acknowledged: 200, Outcomes: 50),
        Service = new HopCounters.ServiceCounts(Queued: 40, Dispatched: 90, Done: 70),
        Managers = new Dictionary<int, HopCounters.ManagerAtEndpoint> { [BusyManager] = new(8, 100, 90, 85), [IdleManager] = new(0, 100, 100, 100) },
        Running = new Dictionary<int, int> { [BusyWorker] = BusyZygote },
    };

    [Theory]
    [InlineData("client", 1, 100 + 40 + 90 + 20)]
    [InlineData("service", 1, 40 + 90)]
    [InlineData("endpoint", 1, 90)]
    [InlineData("manager", BusyManager, 8)]
    [InlineData("manager", IdleManager, 0)]
    [InlineData("zygote", BusyZygote, 1)]
    [InlineData("zygote", IdleZygote, 0)]
    [InlineData("worker", BusyWorker, 1)]
    [InlineData("worker", IdleWorker, 0)]
    public void Only_what_is_in_flight_beyond_the_victim_itself_counts(string kind, int pid, long beyond) => Busy.Beyond(kind, pid).ShouldBe(beyond);

    [Theory]
    [InlineData("client")]
    [InlineData("service")]
    [InlineData("endpoint")]
    public void A_service_without_an_answer_says_nothing_of_what_is_in_flight(string kind) => (Busy with { Service = null }).Beyond(kind, 1).ShouldBe(0);

    [Theory]
    [InlineData("client")]
    [InlineData("service")]
    [InlineData("endpoint")]
    [InlineData("manager")]
    public void With_all_work_done_no_kill_counts(string kind)
    {
        var done = Busy with
        {
            Client = new SubmitterCounts(300, 300, 300),
            Service = new HopCounters.ServiceCounts(0, 0, 300),
            Managers = new Dictionary<int, HopCounters.ManagerAtEndpoint> { [BusyManager] = new(0, 300, 300, 300) },
        };

        done.Beyond(kind, BusyManager).ShouldBe(0);
    }

    [Fact]
    public void A_manager_that_the_endpoint_does_not_know_yet_does_not_count() =>
        (Busy with { Managers = new Dictionary<int, HopCounters.ManagerAtEndpoint>() }).Beyond("manager", BusyManager).ShouldBe(0);

    [Fact]
    public void A_kind_fails_below_one_kill_in_ten_that_counts_and_when_it_was_never_killed()
    {
        var tally = new KillTally();
        tally.Add("worker", BusyWorker, Busy).ShouldBeTrue();
        for (var i = 0; i < 9; i++)
            tally.Add("worker", IdleWorker, Busy).ShouldBeFalse();
        tally.Failures(["worker"]).ShouldBeEmpty();

        tally.Add("worker", IdleWorker, Busy);

        tally.Failures(["worker", "zygote"]).ShouldBe([
            "1 of 11 kills of the worker had tasks in flight beyond it; under 10 % proves nothing",
            "0 of 0 kills of the zygote had tasks in flight beyond it; under 10 % proves nothing",
        ]);
    }
}
