using System.Net;
using FuncX.Configuration;
using FuncX.Endpoint.Doctor;
using FuncX.Providers.Batch;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary><c>funcx-endpoint doctor --job</c>: the program that nodes run, as it is, and a job of it whose scheduler is played.</summary>
public sealed class EndpointDoctorNodesTests : IDisposable
{
    private const string Python = "/usr/bin/python3";

    private readonly ConfigurationScratch _scratch = new();
    private readonly EndpointDoctorMachine _machine;
    private readonly List<string> _told = [];
    private string _ended = "";

    public EndpointDoctorNodesTests()
    {
        Directory.CreateDirectory(State, FileModes.PrivateDirectory);
        _machine = new EndpointDoctorMachine(_scratch.Write("manager", $"#!/bin/sh\n# GLIBC_2.31\necho 'funcx-manager {ProtocolVersion.Product}, protocol 1 to 1'\n", FileModes.PrivateDirectory)) { Addresses = [IPAddress.Loopback] };
        _machine.Played["qsub"] = RunNowAsync;
        _machine.Played["qstat"] = static _ => EndpointDoctorMachine.Answer(1, "");
        _machine.Played["qdel"] = command =>
        {
            _ended += string.Join(' ', command.Arguments);
            return EndpointDoctorMachine.Answer(0, "");
        };
    }

    private string State => Path.Combine(_scratch.Path, "state");

    [Fact]
    public async Task A_node_that_is_well_says_so_and_nothing_is_left()
    {
        var finding = (await AskAsync()).ShouldHaveSingleItem();
        finding.State.ShouldBe(FindingState.Ok, finding.ToString());
        finding.Seen.ShouldContain(" of job 7 may write state_dir and reach 127.0.0.1; glibc 2.");
        finding.Seen.ShouldContain("Python 3.");
        _told.ShouldBe(["job 7 of 1 node was submitted; it is waited for 60 s at most"]);
        NothingIsLeft();
    }

    [Fact]
    public async Task A_node_whose_Python_lacks_a_module_is_named_with_it()
    {
        var finding = (await AskAsync(workers: ", preload: [no_such_module]")).ShouldHaveSingleItem();
        finding.State.ShouldBe(FindingState.Problem);
        finding.Seen.ShouldContain("cannot import of workers.preload: no_such_module ModuleNotFoundError");
        finding.Cure.ShouldContain("-m pip install");
        NothingIsLeft();
    }

    [Fact]
    public async Task A_job_that_does_not_start_in_time_is_cancelled_and_the_schedulers_reason_is_said()
    {
        var name = "";
        _machine.Played["qsub"] = command =>
        {
            name = Path.GetFileName(command.Arguments[1]);
            return EndpointDoctorMachine.Answer(0, "7\n");
        };
        _machine.Played["qstat"] = _ => _ended.Length > 0 ? EndpointDoctorMachine.Answer(1, "") : EndpointDoctorMachine.Answer(0, $"{"JobID",-8}{"JobName",-24}{"User",-6}{"State",-12}{"Location",-10}\n{new string('=', 60)}\n{"7",-8}{name,-24}{"ann",-6}{"user_hold",-12}{"None",-10}\n");
        var finding = (await AskAsync(TimeSpan.FromMilliseconds(100))).ShouldHaveSingleItem();
        (finding.State, finding.Seen).ShouldBe((FindingState.Problem, "job 7 had not ended after 0 s and was cancelled: held; user_hold"));
        finding.Cure.ShouldContain("--timeout SECONDS");
        _ended.ShouldBe("7");
        NothingIsLeft();
    }

    [Fact]
    public async Task A_job_that_is_interrupted_is_cancelled_and_nothing_is_left()
    {
        using var interrupted = new CancellationTokenSource();
        _machine.Played["qsub"] = static _ => EndpointDoctorMachine.Answer(0, "7\n");
        _machine.Played["qstat"] = _ =>
        {
            interrupted.Cancel();
            return EndpointDoctorMachine.Answer(1, "");
        };
        await Should.ThrowAsync<OperationCanceledException>(() => AskAsync(cancellation: interrupted.Token));
        _ended.ShouldBe("7");
        _told.ShouldContain("job 7 is cancelled");
        NothingIsLeft();
    }

    [Fact]
    public async Task A_job_that_is_refused_is_said_in_the_schedulers_words_with_the_key_to_look_at()
    {
        _machine.Played["qsub"] = static _ => EndpointDoctorMachine.Answer(1, "", "<Fault 1001: \"No queue 'debg'\">\n");
        var finding = (await AskAsync()).ShouldHaveSingleItem();
        finding.State.ShouldBe(FindingState.Problem);
        finding.Seen.ShouldContain("(exit 1): \"No queue 'debg");
        finding.Cure.ShouldBe("Check provider.queue");
        NothingIsLeft();
    }

    [Fact]
    public async Task A_node_that_leaves_no_word_is_counted_with_what_the_job_complained_of()
    {
        _machine.Played["qsub"] = static async command =>
        {
            var directory = Path.GetDirectoryName(command.Arguments[^1])!;
            await File.WriteAllTextAsync(Path.Combine(directory, "batch.log"), "node-0.log: No such file or directory\n");
            await File.WriteAllTextAsync(Path.Combine(directory, "exit"), "2\n");
            return new CommandOutput(0, "7\n", "");
        };
        var finding = (await AskAsync()).ShouldHaveSingleItem();
        finding.Seen.ShouldStartWith($"1 of 1 nodes of job 7 left no word in {State}; ");
        finding.Seen.ShouldContain("exit status 2");
        finding.Seen.ShouldContain("node-0.log: No such file or directory");
        finding.Cure.ShouldContain("nodes share with this machine");
        NothingIsLeft();
    }

    [Fact]
    public async Task Loopback_is_a_warning_only_when_the_nodes_have_the_last_word()
    {
        var file = Read("interfaces: [lo]");
        foreach (var (asked, state) in ((bool, FindingState)[])[(false, FindingState.Problem), (true, FindingState.Warning)])
            (await new AddressesCheck(file, _machine, asked).ExamineAsync(TestContext.Current.CancellationToken)).ShouldHaveSingleItem().State.ShouldBe(state);
    }

    // 192.0.2.0/24 is nobody's (RFC 5737).
    [Fact]
    public async Task An_address_that_a_node_does_not_reach_is_named_and_whether_another_is()
    {
        await using var listener = ReachListener.Start([IPAddress.Loopback], TimeProvider.System);
        var nobody = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 9);
        var closed = new IPEndPoint(IPAddress.Loopback, 1);

        var none = await ProbeAsync("n1", [nobody, closed], listener.Word);
        none.Reached.ShouldBeEmpty();
        none.Ahead.ShouldBeNull();
        none.Unreached.Select(static one => one.Target).ShouldBe(["192.0.2.1/9", "127.0.0.1/1"]);
        none.Unreached[1].Reason.ShouldBe("Connection refused");
        var problem = Conclude(none).ShouldHaveSingleItem();
        problem.State.ShouldBe(FindingState.Problem);
        problem.Seen.ShouldStartWith("n1: no address of this machine is reached: 192.0.2.1 (");
        problem.Seen.ShouldEndWith(", 127.0.0.1 (Connection refused)");
        problem.Cure.ShouldContain("`interfaces`");

        var one = await ProbeAsync("n2", [nobody, .. listener.Bound], listener.Word);
        one.Ahead.ShouldNotBeNull().Duration().ShouldBeLessThan(TimeSpan.FromSeconds(5));
        var warning = Conclude(one).ShouldHaveSingleItem();
        warning.State.ShouldBe(FindingState.Warning);
        warning.Seen.ShouldStartWith("n2: not all addresses of this machine are reached: not 192.0.2.1 (");
    }

    [Fact]
    public async Task A_stranger_at_the_port_is_not_taken_for_this_machine()
    {
        await using var stranger = ReachListener.Start([IPAddress.Loopback], TimeProvider.System);
        var report = await ProbeAsync("n1", stranger.Bound, "another-word");
        report.Reached.ShouldBeEmpty();
        report.Unreached.ShouldHaveSingleItem().Reason.ShouldStartWith("funcx-doctor-");
    }

    [Fact]
    public async Task A_node_that_may_not_write_the_state_directory_is_named()
    {
        var elsewhere = Path.Combine(_scratch.Path, "not", "there");
        var report = await ProbeAsync("n1", [], "word", Read("") with { StateDirectory = elsewhere });
        report.StateProblem.ShouldBe("No such file or directory");
        Conclude(report).ShouldContain(finding => finding.State == FindingState.Problem && finding.Seen == $"n1: state_dir {State} cannot be written there: No such file or directory"
            && finding.Cure.Contains("share with this machine", StringComparison.Ordinal));
    }

    [Fact]
    public void Nodes_that_fail_at_the_same_are_told_together_and_clocks_and_glibc_are_compared()
    {
        const string Well = "\n==funcx node {0}\n==funcx state\n==funcx glibc glibc {1}\n==funcx reached 10.0.0.1/7 {2}\n\n==funcx init 0\n\n==funcx version 3.11.2 /usr/bin/python3\n\n==funcx python 0\n\n==funcx done 0\n";
        NodeReport Report(string node, string glibc, int milliseconds) =>
            NodeReport.Parse($"slurmstepd: a line of the site's\n{string.Format(System.Globalization.CultureInfo.InvariantCulture, Well, node, glibc, milliseconds)}", Read("").Workers).ShouldNotBeNull();
        NodeFindings.Of("nodes", Read(""), [Report("n1", "2.36", 12), Report("n2", "2.31", -4_000)], new Version(2, 31)).ShouldBeEmpty();
        var findings = NodeFindings.Of("nodes", Read(""), [Report("n2", "2.28", 12), Report("n1", "2.28", 65_000), Report("n3", "2.31", -9_000)], new Version(2, 31));
        findings.Select(static finding => (finding.State, finding.Seen)).ShouldBe([
            (FindingState.Problem, "n1, n2: glibc is 2.28, and the manager needs 2.31"),
            (FindingState.Warning, "n1: the clock is 65 s ahead of this machine's"),
            (FindingState.Warning, "n3: the clock is 9 s behind this machine's"),
        ]);
        findings.ShouldAllBe(static finding => finding.Cure.Length > 0);
        NodeFindings.Names(Enumerable.Range(10, 20).Select(static node => $"n{node}")).ShouldBe("n10, n11, n12, n13, n14, n15, n16, n17 and 12 more");
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n==funcx node n1\n==funcx state\n")]
    public void A_node_that_has_not_come_to_its_end_has_said_nothing(string log) => NodeReport.Parse(log, new WorkersConfiguration()).ShouldBeNull();

    public void Dispose() => _scratch.Dispose();

    private EndpointConfiguration Read(string keys, string workers = "")
    {
        var file = EndpointConfigurationFile.Parse("a.yaml",
            $"name: a\nservice: https://funcx.example.org\nstate_dir: {State}\nprovider: {{type: cobalt, walltime: 1h, poll_interval: 1s}}\nworkers: {{per_node: 1, python: {Python}{workers}}}\n{keys}\n");
        file.Errors.ShouldBeEmpty();
        return file.Value!;
    }

    private Task<IReadOnlyList<Finding>> AskAsync(TimeSpan? patience = null, string workers = "", CancellationToken? cancellation = null) =>
        new NodesCheck(Read("", workers), _machine, patience ?? TimeSpan.FromSeconds(60), TimeProvider.System, _told.Add).ExamineAsync(cancellation ?? TestContext.Current.CancellationToken);

    private IReadOnlyList<Finding> Conclude(NodeReport report) => NodeFindings.Of("nodes", Read(""), [report with { Python = null }], new Version(2, 17));

    // Cobalt runs the script on the node itself when it is one.
    private async Task<CommandOutput> RunNowAsync(SchedulerCommand command)
    {
        var script = command.Arguments[^1];
        (await File.ReadAllTextAsync(script)).ShouldContain("#COBALT -t 5\n", Case.Sensitive, "short jobs start sooner");
        await new CommandRunner(TimeSpan.FromSeconds(30)).RunAsync(new SchedulerCommand("/bin/bash", script), State, CancellationToken.None);
        return new CommandOutput(0, "7\n", "");
    }

    private async Task<NodeReport> ProbeAsync(string node, IReadOnlyList<IPEndPoint> targets, string word, EndpointConfiguration? configuration = null)
    {
        using var script = new TemporaryScript(NodeProbe.Script(configuration ?? Read(""), _scratch.Path, targets, word));
        var output = await _machine.RunAsync(new SchedulerCommand("/bin/bash", script.Path, "--rendezvous", "none", "--node", node, "--directory", "none"), State, TestContext.Current.CancellationToken);
        return NodeReport.Parse(output.Output, new WorkersConfiguration()).ShouldNotBeNull(output.ToString());
    }

    private void NothingIsLeft() => Directory.EnumerateFileSystemEntries(State).ShouldBeEmpty();
}
