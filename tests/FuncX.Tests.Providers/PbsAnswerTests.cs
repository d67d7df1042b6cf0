using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Pbs;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>What is read of PBS beyond the recordings.</summary>
public sealed class PbsAnswerTests : IDisposable
{
    private static readonly PbsScheduler s_openpbs = new(new PbsSettings { Walltime = TimeSpan.FromHours(1) });
    private static readonly PbsScheduler s_torque = new(new PbsSettings { Walltime = TimeSpan.FromHours(1), Variant = PbsVariant.Torque });
    private readonly BlockScratch _scratch = new(plain: true);

    /// <summary>As recorded of a deletion, with other words for how the script ended; the manual says of substate 91 alone what it is.</summary>
    [Theory]
    [InlineData(91, 271, BlockState.Cancelled)]
    [InlineData(91, 0, BlockState.Cancelled)]
    [InlineData(91, null, BlockState.Cancelled)]
    [InlineData(92, 0, BlockState.Completed)]
    [InlineData(93, 271, BlockState.Failed)]
    [InlineData(93, null, BlockState.Failed)]
    public void Substate_91_is_a_deletion_whatever_the_exit_status_says(int substate, int? exitStatus, BlockState expected)
    {
        var text = $"Job Id: 5.head\n    Job_Name = funcx-b1\n    job_state = F\n    substate = {substate}\n    comment = Job run at Mon and terminated by user@head\n{(exitStatus is null ? "" : $"    Exit_status = {exitStatus}\n")}\n";
        var json = $"{{\"pbs_server\": \"head\", \"Jobs\": {{\"5.head\": {{\"Job_Name\": \"funcx-b1\", \"job_state\": \"F\", \"substate\": {substate}, \"comment\": \"Job run at Mon and terminated by user@head\"{(exitStatus is null ? "" : $", \"Exit_status\": {exitStatus}")}}}}}}}\n";
        foreach (var answer in (StatusAnswer[])[s_openpbs.Queries[0].Read(new CommandOutput(0, text, "")), s_openpbs.Queries[1].Read(new CommandOutput(0, json, ""))])
        {
            answer.Kind.ShouldBe(AnswerKind.Answered, answer.Message);
            answer.Jobs["5.head"].Condition.ToBlockState().ShouldBe(expected);
        }
    }

    /// <summary>
    /// Not recorded: written after the example and the table of exit codes in TORQUE's manual ("Job Exit Status"; 256 and a signal's number by pbs_mom). State C is a job that has ended, <c>exit_status</c> has
    /// a small e, and there are no substates.
    /// </summary>
    [Theory]
    [InlineData("C", "0", BlockState.Completed, "")]
    [InlineData("C", "1", BlockState.Failed, "exit status 1")]
    [InlineData("C", "271", BlockState.Cancelled, "ended by signal 15")]
    [InlineData("C", "265", BlockState.Cancelled, "ended by signal 9")]
    [InlineData("C", "-11", BlockState.TimedOut, "")]
    [InlineData("C", "-1", BlockState.Failed, "PBS ended it (Exit_status -1)")]
    [InlineData("C", null, BlockState.Failed, "its script never started; the job's files could not be staged in")]
    [InlineData("E", "0", BlockState.Unknown, "ending")]
    [InlineData("R", null, BlockState.Running, "")]
    [InlineData("Q", null, BlockState.Pending, "the job's files could not be staged in")]
    [InlineData("H", null, BlockState.Pending, "the job's files could not be staged in")]
    public void A_job_of_TORQUE_is_read_as_its_manual_has_it(string state, string? exitStatus, BlockState expected, string reason)
    {
        var text = $$"""
            Job Id: 179.host
                Job_Name = funcx-0123456789-b1
                Job_Owner = user@host
                resources_used.cput = 00:00:00
                job_state = {{state}}
                queue = batchq
                server = host
                Checkpoint = u
                ctime = Fri Aug 29 14:55:55 2008
                Error_Path = host:/opt/moab/STDIN.e179
                exec_host = node1/0
                Hold_Types = n
                Join_Path = n
                Rerunable = True
                Resource_List.nodect = 1
                Resource_List.nodes = node1
                Variable_List = PBS_O_HOME=/home/user,PBS_O_LOGNAME=user,
            	PBS_O_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:,
            	PBS_O_WORKDIR=/opt/moab,PBS_O_QUEUE=batchq
                comment = the job's files could not be
            	 staged in
                etime = Fri Aug 29 14:55:55 2008{{(exitStatus is null ? "" : $"\n    exit_status = {exitStatus}")}}


            """;
        var query = s_torque.Queries.ShouldHaveSingleItem();
        query.Command(["179.host"]).ToString().ShouldBe("qstat -f 179.host");
        var answer = query.Read(new CommandOutput(0, text, ""));
        answer.Kind.ShouldBe(AnswerKind.Answered, answer.Message);
        var job = answer.Jobs.ShouldHaveSingleItem();
        job.Key.ShouldBe("179.host");
        job.Value.Name.ShouldBe("funcx-0123456789-b1");
        job.Value.Condition.ToBlockState().ShouldBe(expected);
        job.Value.Describe().ShouldBe(reason);
    }

    [Fact]
    public async Task Jobs_that_the_text_cannot_be_read_of_take_turns_at_being_asked_about_one_by_one()
    {
        var (server, time) = (new Unreadable(), new FakeTimeProvider());
        var provider = new BatchProvider(s_openpbs, server, TimeSpan.FromSeconds(10), time);
        var blocks = Enumerable.Range(100, 20).Select(number => new SubmittedBlock(_scratch.Block("", id: $"b{number}"), $"{number}.head")).ToList();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var poll = 0; poll < 3; poll++)
        {
            server.Commands.Clear();
            var statuses = await provider.QueryAsync(blocks, TestContext.Current.CancellationToken);
            statuses.Count(static status => status.State == BlockState.Running).ShouldBe(8);
            statuses.Count(static status => status.State == BlockState.Unknown).ShouldBe(12, "who had no turn stays what it was");
            server.Commands.Count.ShouldBe(10);
            seen.UnionWith(server.Commands.Where(static command => command.Arguments.Contains("json")).Select(static command => command.Arguments[^1]));
            time.Advance(TimeSpan.FromSeconds(10));
        }

        seen.Count.ShouldBe(20, "three turns were enough for all");
    }

    [Theory]
    [InlineData("Job Id: 17")]
    [InlineData("Job Id: 179.host")]
    [InlineData("J")]
    public void A_job_that_was_cut_in_its_first_line_is_not_taken_for_none(string text)
    {
        var answer = s_torque.Queries[0].Read(new CommandOutput(0, text, ""));
        answer.Kind.ShouldBe(AnswerKind.Garbled);
        answer.Message.ShouldBe($"qstat's last line is cut: '{text}'");
    }

    public void Dispose() => _scratch.Dispose();

    // Its text is not that of PBS.
    private sealed class Unreadable : ICommandRunner
    {
        public List<SchedulerCommand> Commands { get; } = [];

        public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation)
        {
            Commands.Add(command);
            var id = command.Arguments[^1];
            return Task.FromResult(new CommandOutput(0, command.Arguments.Contains("json") ? $"{{\"pbs_server\": \"head\", \"Jobs\": {{\"{id}\": {{\"job_state\": \"R\"}}}}}}\n" : "<html>\n", ""));
        }
    }
}
