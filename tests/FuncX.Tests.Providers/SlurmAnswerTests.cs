using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Slurm;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>How the template puts together what Slurm's three sources say, on answers that are told to it.</summary>
public sealed class SlurmAnswerTests : IDisposable
{
    private const string Tail = "|1|n1|5:00|4:00|1:00|s|t|e|debug|user|a|q|funcx-0123456789-b1-1|(null)\n";
    private const string Refused = "sacct: error: Problem talking to the database: Connection refused";
    private readonly BlockScratch _scratch = new(plain: true);
    private readonly Dictionary<string, CommandOutput> _answers = new(StringComparer.Ordinal);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task What_squeue_has_forgotten_accounting_knows()
    {
        _answers["squeue"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        _answers["sacct"] = new CommandOutput(0, "5|funcx-0123456789-b1-1|TIMEOUT|0:0|0:0|None|n1|1|a|b|c|d|e|f|g|\n", "");
        (await AskAsync()).State.ShouldBe(BlockState.TimedOut);
    }

    [Fact]
    public async Task The_exit_code_comes_from_accounting_and_without_it_from_the_controller()
    {
        _answers["squeue"] = new CommandOutput(0, "5|FAILED|NonZeroExitCode" + Tail, "");
        _answers["sacct"] = new CommandOutput(1, "", "Slurm accounting storage is disabled");
        _answers["scontrol"] = new CommandOutput(0, "JobId=5 JobName=funcx-0123456789-b1-1\n   JobState=FAILED Reason=NonZeroExitCode Dependency=(null)\n   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=3:0\n", "");
        var status = await AskAsync();
        status.State.ShouldBe(BlockState.Failed);
        status.Reason.ShouldBe("exit status 3");
    }

    [Fact]
    public async Task Without_accounting_a_forgotten_job_is_lost_after_a_minute()
    {
        _answers["squeue"] = new CommandOutput(0, "", "");
        _answers["sacct"] = new CommandOutput(1, "", "Slurm accounting storage is disabled");
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        var provider = Provider();
        (await AskAsync(provider)).State.ShouldBe(BlockState.Unknown);
        _time.Advance(BatchProvider.LostAfter);
        (await AskAsync(provider)).State.ShouldBe(BlockState.Lost);
    }

    [Fact]
    public async Task What_the_controller_has_answered_not_to_know_it_is_not_asked_again()
    {
        _answers["squeue"] = new CommandOutput(0, "", "");
        _answers["sacct"] = new CommandOutput(0, "", "");
        // Nobody has told what scontrol says: to ask it is an error.
        (await AskAsync()).State.ShouldBe(BlockState.Unknown);
    }

    [Fact]
    public async Task A_refusal_whose_words_name_no_key_says_where_to_look()
    {
        _answers["sbatch"] = new CommandOutput(1, "", "sbatch: error: cli_filter plugin terminated with error");
        var refusal = await Should.ThrowAsync<BlockProviderException>(() => Provider().SubmitAsync(_scratch.Block("", id: "b1-1"), TestContext.Current.CancellationToken));
        refusal.Message.ShouldBe("sbatch refused block b1-1 of endpoint 'test' (exit 1): \"sbatch: error: cli_filter plugin terminated with error\". "
            + "Check the keys below provider, and provider.directives; `funcx-endpoint render FILE` prints the script");
        _answers["scancel"] = new CommandOutput(210, "", "scancel: error: Kill job error on job id 5: Access/permission denied");
        refusal = await Should.ThrowAsync<BlockProviderException>(() => Provider().CancelAsync(new SubmittedBlock(_scratch.Block("", id: "b1-1"), "5"), TestContext.Current.CancellationToken));
        refusal.Message.ShouldEndWith("Access/permission denied. Run `scancel 5` by hand as the job's owner, or ask who administers slurm");
    }

    [Fact]
    public async Task While_accounting_is_away_a_forgotten_job_is_unknown_and_after_ten_minutes_lost()
    {
        _answers["squeue"] = new CommandOutput(0, "", "");
        _answers["sacct"] = new CommandOutput(1, "", Refused);
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        var provider = Provider();
        for (var minute = 0; minute < 10; minute++)
        {
            var status = await AskAsync(provider);
            status.State.ShouldBe(BlockState.Unknown);
            status.Reason.ShouldContain("Connection refused");
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        var lost = await AskAsync(provider);
        lost.State.ShouldBe(BlockState.Lost, "a block that is not known to be over would keep the place of one that works");
        lost.Reason.ShouldContain("Connection refused");
    }

    [Fact]
    public async Task Accounting_that_answers_every_other_time_keeps_no_job_unknown_for_ever()
    {
        _answers["squeue"] = new CommandOutput(0, "", "");
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        var provider = Provider();
        for (var poll = 0; poll < 20; poll++)
        {
            _answers["sacct"] = poll % 2 == 0 ? new CommandOutput(1, "", Refused) : new CommandOutput(0, "", "");
            (await AskAsync(provider)).State.ShouldBe(BlockState.Unknown, $"poll {poll}");
            _time.Advance(TimeSpan.FromSeconds(30));
        }

        _answers["sacct"] = new CommandOutput(1, "", Refused);
        (await AskAsync(provider)).State.ShouldBe(BlockState.Lost);
    }

    [Theory]
    [InlineData("RUNNING")]
    [InlineData("PENDING")]
    public async Task What_runs_in_the_database_and_not_at_the_controller_is_unknown_and_after_a_minute_lost(string state)
    {
        _answers["squeue"] = new CommandOutput(0, "", "");
        _answers["sacct"] = new CommandOutput(0, $"5|funcx-0123456789-b1-1|{state}|0:0|0:0|None|n1|1|a|b|c|d|e|f|g|\n", "");
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        var provider = Provider();
        var status = await AskAsync(provider);
        status.State.ShouldBe(BlockState.Unknown);
        status.Reason.ShouldContain("has not heard of its end");
        _time.Advance(BatchProvider.LostAfter);
        (await AskAsync(provider)).State.ShouldBe(BlockState.Lost);
    }

    [Fact]
    public async Task The_end_of_a_job_that_accounting_hears_of_late_is_the_one_that_counts()
    {
        _answers["squeue"] = new CommandOutput(0, "", "");
        _answers["sacct"] = new CommandOutput(1, "", Refused);
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        var block = _scratch.Block("", id: "b1-1");
        File.WriteAllText(Path.Combine(block.Directory, "exit"), "0\n");
        var provider = Provider();
        (await AskAsync(provider, block)).State.ShouldBe(BlockState.Unknown);
        _time.Advance(TimeSpan.FromMinutes(9));
        (await AskAsync(provider, block)).State.ShouldBe(BlockState.Unknown);
        _time.Advance(TimeSpan.FromSeconds(20));
        _answers["sacct"] = new CommandOutput(0, "5|funcx-0123456789-b1-1|RUNNING|0:0|0:0|None|n1|1|a|b|c|d|e|f|g|\n", "");
        (await AskAsync(provider, block)).State.ShouldBe(BlockState.Unknown);
        _time.Advance(TimeSpan.FromSeconds(20));
        _answers["sacct"] = new CommandOutput(0, "5|funcx-0123456789-b1-1|CANCELLED by 0|0:0|0:0|None|n1|1|a|b|c|d|e|f|g|\n", "");
        (await AskAsync(provider, block)).State.ShouldBe(BlockState.Cancelled);
    }

    /// <summary>Managers that Slurm tells to end leave with 0 as well as those that have nothing to do.</summary>
    [Theory]
    [InlineData("0", BlockState.Lost)]
    [InlineData("3", BlockState.Failed)]
    public async Task Without_accounting_the_scripts_own_word_counts_and_completes_nothing(string status, BlockState expected)
    {
        _answers["squeue"] = new CommandOutput(0, "", "");
        _answers["sacct"] = new CommandOutput(1, "", "Slurm accounting storage is disabled");
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        var block = _scratch.Block("", id: "b1-1");
        File.WriteAllText(Path.Combine(block.Directory, "exit"), $"{status}\n");
        var concluded = await AskAsync(Provider(), block);
        concluded.State.ShouldBe(expected);
        concluded.Reason.ShouldContain($"its script left exit status {status}");
    }

    [Theory]
    [InlineData("RUNNING", "4:00", 240)]
    [InlineData("RUNNING", "45", 45)]
    [InlineData("RUNNING", "1-00:00:05", 86_405)]
    [InlineData("RUNNING", "UNLIMITED", null)]
    [InlineData("RUNNING", "INVALID", null)]
    [InlineData("RUNNING", "99999999-00:00:00", null)]
    [InlineData("PENDING", "4:00", null)]
    public async Task How_long_a_job_that_runs_still_may_is_read(string state, string left, int? seconds)
    {
        _answers["squeue"] = new CommandOutput(0, $"5|{state}|None{Tail.Replace("|4:00|", $"|{left}|", StringComparison.Ordinal)}", "");
        (await AskAsync()).EndsAt.ShouldBe(seconds is { } count ? _time.GetUtcNow().AddSeconds(count) : null);
    }

    [Fact]
    public async Task Who_is_in_a_hurry_hears_of_a_suspension_a_second_after_the_last_question()
    {
        _answers["squeue"] = new CommandOutput(0, "5|RUNNING|None" + Tail, "");
        var provider = Provider();
        (await AskAsync(provider)).Suspended.ShouldBeFalse();
        _answers["squeue"] = new CommandOutput(0, "5|SUSPENDED|None" + Tail, "");
        _time.Advance(TimeSpan.FromSeconds(1));
        (await AskAsync(provider)).Suspended.ShouldBeFalse("it is not asked yet");
        provider.Hurry();
        provider.PollInterval.ShouldBe(TimeSpan.FromSeconds(1));
        (await AskAsync(provider)).ShouldBe(new BlockStatus(BlockState.Running, "suspended", EndsAt: _time.GetUtcNow().AddMinutes(4), Suspended: true));

        // Nobody is asked more often who does not answer.
        _time.Advance(TimeSpan.FromSeconds(10));
        _answers["squeue"] = new CommandOutput(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)");
        _answers["sacct"] = _answers["scontrol"] = _answers["squeue"];
        await Should.ThrowAsync<BlockProviderException>(() => AskAsync(provider));
        provider.Hurry();
        provider.PollInterval.ShouldBe(TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("5|RUNNING|None" + Tail + "6|NEW_STATE|None" + Tail, BlockState.Running)]
    [InlineData("5|NEW_STATE|None" + Tail, BlockState.Unknown)]
    [InlineData("5|RUNN", BlockState.Unknown)]
    [InlineData("<html>502 Bad Gateway</html>\n", BlockState.Unknown)]
    public async Task What_is_not_understood_ends_nothing(string squeue, BlockState expected)
    {
        _answers["squeue"] = new CommandOutput(0, squeue, "");
        _answers["sacct"] = new CommandOutput(0, "", "");
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        var provider = Provider();
        (await AskAsync(provider)).State.ShouldBe(expected);
        _time.Advance(TimeSpan.FromMinutes(2));
        (await AskAsync(provider)).State.ShouldBe(expected);
    }

    /// <summary>States without a recording, by the descriptions in squeue(1), JOB STATE CODES.</summary>
    [Theory]
    // "Job is being signaled": it has its nodes.
    [InlineData("SIGNALING", JobCondition.Running, BlockState.Running)]
    // "Job is staging out files": its script is over, and how that was is not told.
    [InlineData("STAGE_OUT", JobCondition.Ending, BlockState.Unknown)]
    // "Sibling was removed from cluster due to other cluster starting the job": it may be running there.
    [InlineData("REVOKED", JobCondition.Unknown, BlockState.Unknown)]
    // "Job is being held after requested reservation was deleted".
    [InlineData("RESV_DEL_HOLD", JobCondition.Held, BlockState.Pending)]
    // "Job terminated due to launch failure, typically due to a hardware failure (e.g. unable to boot the node or block and the job can not be requeued)".
    [InlineData("BOOT_FAIL", JobCondition.NodeFailed, BlockState.Failed)]
    public async Task A_state_that_was_not_recorded_is_what_the_manual_page_says(string state, JobCondition condition, BlockState expected)
    {
        _answers["squeue"] = new CommandOutput(0, $"5|{state}|None{Tail}", "");
        new SlurmScheduler(new SlurmSettings { Walltime = TimeSpan.FromHours(1) }).Queries[0].Read(_answers["squeue"]).Jobs["5"].Condition.ShouldBe(condition);
        (await AskAsync()).State.ShouldBe(expected);
    }

    [Fact]
    public async Task A_job_that_another_cluster_of_the_federation_has_started_is_said_to_be_there()
    {
        _answers["squeue"] = new CommandOutput(0, "5|REVOKED|None" + Tail, "");
        (await AskAsync()).Reason.ShouldContain("another cluster of the federation");
    }

    [Fact]
    public async Task Twenty_blocks_that_run_are_one_squeue_at_each_poll()
    {
        var blocks = Enumerable.Range(1, 20).Select(number => new SubmittedBlock(_scratch.Block("", id: $"b{number}-1"), $"{100 + number}")).ToList();
        _answers["squeue"] = new CommandOutput(0, string.Concat(blocks.Select(static block => $"{block.JobId}|RUNNING|None{Tail.Replace("-b1-1|", $"-{block.Block.BlockId}|", StringComparison.Ordinal)}")), "");
        // Of no other command an answer is known: to give one is an error.
        var runner = new Told(_answers);
        var provider = Provider(runner);
        for (var poll = 1; poll <= 5; poll++)
        {
            var statuses = await provider.QueryAsync(blocks, TestContext.Current.CancellationToken);
            statuses.Count.ShouldBe(20);
            statuses.ShouldAllBe(static status => status.State == BlockState.Running);
            runner.Commands.Count.ShouldBe(poll);
            runner.Commands[^1].Program.ShouldBe("squeue");
            runner.Commands[^1].Arguments[^1].ShouldBe(string.Join(',', blocks.Select(static block => block.JobId)));
            _time.Advance(provider.PollInterval);
        }
    }

    [Fact]
    public async Task A_number_that_was_given_to_a_job_of_another_name_is_not_the_block()
    {
        _answers["squeue"] = new CommandOutput(0, "5|COMPLETED|None|1|n1|5:00|4:00|1:00|s|t|e|debug|user|a|q|other|(null)\n", "");
        _answers["sacct"] = new CommandOutput(0, "5|other|COMPLETED|0:0|0:0|None|n1|1|a|b|c|d|e|f|g|\n", "");
        _answers["scontrol"] = new CommandOutput(1, "", "slurm_load_jobs error: Invalid job id specified");
        (await AskAsync()).State.ShouldBe(BlockState.Unknown);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData("5 6")]
    [InlineData("5;lab")]
    public async Task What_can_be_no_id_never_becomes_an_argument(string jobId)
    {
        var block = new SubmittedBlock(_scratch.Block("", id: "b1-1"), jobId);
        (await Provider().QueryAsync([block], TestContext.Current.CancellationToken)).ShouldHaveSingleItem().State.ShouldBe(BlockState.Lost);
        await Provider().CancelAsync(block, TestContext.Current.CancellationToken);
    }

    public void Dispose() => _scratch.Dispose();

    private BatchProvider Provider(Told? runner = null) => new(new SlurmScheduler(new SlurmSettings { Walltime = TimeSpan.FromHours(1) }), runner ?? new Told(_answers), TimeSpan.FromSeconds(10), _time);

    private async Task<BlockStatus> AskAsync(BatchProvider? provider = null, BlockRequest? block = null) =>
        (await (provider ?? Provider()).QueryAsync([new SubmittedBlock(block ?? _scratch.Block("", id: "b1-1"), "5")], TestContext.Current.CancellationToken)).Single();

    private sealed class Told(Dictionary<string, CommandOutput> answers) : ICommandRunner
    {
        /// <summary>Those that were run, oldest first.</summary>
        public List<SchedulerCommand> Commands { get; } = [];

        public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation)
        {
            Commands.Add(command);
            return Task.FromResult(answers[command.Program]);
        }
    }
}
