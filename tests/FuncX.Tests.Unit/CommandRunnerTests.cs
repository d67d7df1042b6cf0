using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Slurm;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>A scheduler's commands: what they are not told, how much of what they write is kept, and how often they are run when they are slow.</summary>
public sealed class CommandRunnerTests
{
    private static readonly string[] s_secrets = ["FUNCX_RUNNER_TOKEN", "FUNCX_RUNNER_SECRET", "FUNCX_RUNNER_CREDENTIAL", "FUNCX_RUNNER_PASSWORD", "FUNCX_RUNNER_KEY"];

    // What squeue, sacct and qstat read, by their manual pages.
    private static readonly string[] s_formats = ["SQUEUE_FORMAT", "SQUEUE_FORMAT2", "SQUEUE_STATES", "SQUEUE_SORT", "SACCT_FORMAT", "SLURM_TIME_FORMAT", "QSTAT_HEADER", "QSTAT_HEADER_FULL"];

    private readonly CommandRunner _runner = new(TimeSpan.FromSeconds(30));
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Secrets_and_what_changes_a_listing_are_not_in_a_commands_environment()
    {
        string[] names = [.. s_secrets, .. s_formats, "FUNCX_RUNNER_PLAIN"];
        foreach (var name in names)
            Environment.SetEnvironmentVariable(name, "seen");
        try
        {
            var lines = (await RunAsync("env")).Lines.ToList();
            lines.Where(static line => line.EndsWith("=seen", StringComparison.Ordinal)).ShouldBe(["FUNCX_RUNNER_PLAIN=seen"]);
        }
        finally
        {
            foreach (var name in names)
                Environment.SetEnvironmentVariable(name, null);
        }
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(5_000_000, true)]
    public async Task Of_what_a_command_writes_the_first_32_MiB_are_kept(int more, bool isCut)
    {
        var output = await RunAsync("head", "-c", $"{CommandRunner.MostBytes + more}", "/dev/zero");
        (output.ExitCode, output.Output.Length, output.Errors, output.Cut).ShouldBe((0, CommandRunner.MostBytes, "", isCut));
    }

    [Fact]
    public async Task Errors_are_cut_like_output_and_a_command_is_read_to_its_end()
    {
        var output = await RunAsync("sh", "-c", $"head -c {CommandRunner.MostBytes + 1} /dev/zero >&2; echo end");
        (output.ExitCode, output.Output, output.Errors.Length, output.Cut).ShouldBe((0, "end\n", CommandRunner.MostBytes, true));
    }

    [Fact]
    public async Task A_job_that_a_cut_listing_lacks_may_be_in_what_is_missing()
    {
        var told = new ToldRunner(_time) { Cut = true };
        var provider = Provider(told);
        for (var minute = 0; minute < 20; minute++)
        {
            var answers = await provider.QueryAsync([Block("5"), Block("6")], TestContext.Current.CancellationToken);
            answers[0].State.ShouldBe(BlockState.Running, "what is there is good");
            (answers[1].State, answers[1].Reason).ShouldBe((BlockState.Unknown, "squeue wrote more than 33554432 bytes"));
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        told.Cut = false;
        await provider.QueryAsync([Block("5"), Block("6")], TestContext.Current.CancellationToken);
        _time.Advance(BatchProvider.LostAfter);
        (await provider.QueryAsync([Block("5"), Block("6")], TestContext.Current.CancellationToken)).Select(static answer => answer.State).ShouldBe([BlockState.Running, BlockState.Lost]);
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(1, 10)]
    [InlineData(5, 45)]
    [InlineData(30, 270)]
    [InlineData(60, 300)]
    public async Task A_scheduler_that_takes_long_is_asked_for_a_tenth_of_its_time_at_most(int tookSeconds, int pauseSeconds)
    {
        var told = new ToldRunner(_time) { Took = TimeSpan.FromSeconds(tookSeconds) };
        var provider = Provider(told);
        await AskAsync();
        provider.PollInterval.ShouldBe(TimeSpan.FromSeconds(pauseSeconds));
        _time.Advance(TimeSpan.FromSeconds(pauseSeconds - 0.1));
        await AskAsync();
        told.Asked.ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        await AskAsync();
        told.Asked.ShouldBe(2);

        // Once it is quick again it is asked as often as before.
        told.Took = TimeSpan.Zero;
        _time.Advance(TimeSpan.FromSeconds(pauseSeconds));
        await AskAsync();
        provider.PollInterval.ShouldBe(TimeSpan.FromSeconds(10));

        async Task AskAsync() => (await provider.QueryAsync([Block("5")], TestContext.Current.CancellationToken)).ShouldHaveSingleItem().State.ShouldBe(BlockState.Running);
    }

    private static SubmittedBlock Block(string job) =>
        new(new BlockRequest { BlockId = $"b-{job}", Endpoint = "a", Owner = "0123456789", Nodes = 1, Directory = "/none", Rendezvous = "/none/r", Manager = "/none/m" }, job);

    private static BatchProvider Provider(ToldRunner told) => new(new SlurmScheduler(new SlurmSettings { Walltime = TimeSpan.FromHours(1) }), told, TimeSpan.FromSeconds(10), told.Time);

    private Task<CommandOutput> RunAsync(string program, params string[] arguments) => _runner.RunAsync(new SchedulerCommand(program, arguments), "/", TestContext.Current.CancellationToken);

    /// <summary>A Slurm without accounting in which job 5 runs.</summary>
    private sealed class ToldRunner(FakeTimeProvider time) : ICommandRunner
    {
        public FakeTimeProvider Time => time;

        /// <summary>How long squeue takes.</summary>
        public TimeSpan Took { get; set; }

        public bool Cut { get; set; }

        public int Asked { get; private set; }

        public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation)
        {
            if (command.Program != "squeue")
                return Task.FromResult(new CommandOutput(1, "", command.Program == "sacct" ? "Slurm accounting storage is disabled" : "slurm_load_jobs error: Invalid job id specified"));
            Asked++;
            time.Advance(Took);
            return Task.FromResult(new CommandOutput(0, "5|RUNNING|None|1|n1|5:00|4:00|1:00|s|t|e|debug|user|a|q|funcx-0123456789-b-5|(null)\n", "", Cut));
        }
    }
}
