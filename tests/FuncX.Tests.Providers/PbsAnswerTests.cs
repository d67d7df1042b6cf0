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
    private const string Heading = """
        Job id            Name             User              Time Use S Queue
        ----------------  ---------------- ----------------  -------- - -----

        """;

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
            server.Commands.Count.ShouldBe(11, "one of all, eight of one each, one without history, and the plain table");
            seen.UnionWith(server.Commands.Where(static command => command.Arguments.Contains("json")).Select(static command => command.Arguments[^1]));
            time.Advance(TimeSpan.FromSeconds(10));
        }

        seen.Count.ShouldBe(20, "three turns were enough for all");
    }

    /// <summary>As recorded in qstat-many; its last letters are those of qstat(1). Not recorded are the states of TORQUE, and M, T, U and X.</summary>
    [Theory]
    [InlineData("Q", JobCondition.Pending)]
    [InlineData("W", JobCondition.Pending)]
    [InlineData("T", JobCondition.Pending)]
    [InlineData("H", JobCondition.Pending)]
    [InlineData("R", JobCondition.Running)]
    [InlineData("B", JobCondition.Running)]
    [InlineData("S", JobCondition.Suspended)]
    [InlineData("U", JobCondition.Suspended)]
    [InlineData("E", JobCondition.Ending)]
    [InlineData("F", JobCondition.Unknown)]
    [InlineData("C", JobCondition.Unknown)]
    [InlineData("X", JobCondition.Unknown)]
    [InlineData("M", JobCondition.Unknown)]
    [InlineData("Z", JobCondition.Unknown)]
    public void A_letter_alone_says_where_a_job_stands_and_never_how_it_ended(string letter, JobCondition expected)
    {
        var answer = Table(0, $"72.head           funcx-block      user              00:00:00 {letter} workq           \n");
        answer.Kind.ShouldBe(AnswerKind.Answered, answer.Message);
        var job = answer.Jobs.ShouldHaveSingleItem();
        job.Key.ShouldBe("72.head");
        job.Value.Condition.ShouldBe(expected);
        if (expected == JobCondition.Unknown)
            job.Value.Reason.ShouldNotBeEmpty();
    }

    /// <summary>The columns are as wide as in qstat-many; what does not fit is cut (qstat.c).</summary>
    [Fact]
    public void A_name_that_may_be_cut_is_none_and_an_id_that_is_cut_is_nobodys()
    {
        var answer = Table(0, """
            1234567.polaris-p funcx-012345678  user                     0 Q workq           
            73.head           short            user                     0 R workq           

            """);
        answer.Kind.ShouldBe(AnswerKind.Answered, answer.Message);
        answer.Jobs["73.head"].Name.ShouldBe("short");
        answer.Jobs["1234567.polaris-p"].Name.ShouldBeNull();
        answer.Jobs.ShouldNotContainKey("1234567.polaris-pbs-01.example");
    }

    [Theory]
    [InlineData("72.head           funcx-block      user              00:00:00   workq           \n")]
    [InlineData("72.head           funcx-block      user              00:00:00 RR workq          \n")]
    [InlineData("72.head           funcx-block      user              00:00:00 R                 \n")]
    [InlineData("72.head           funcx-block      a-user-of-many-letters 00:00:00 R workq      \n")]
    [InlineData("workq                0     2 yes yes     0     2     0     0     0     0 Exe*\n")]
    [InlineData("qstat: something else\n")]
    public void A_line_of_the_plain_table_that_is_no_job_is_said_and_the_others_are_read(string line)
    {
        var answer = Table(0, $"{line}73.head           short            user                     0 R workq           \n");
        answer.Kind.ShouldBe(AnswerKind.Garbled);
        answer.Message.ShouldStartWith("qstat printed a line that is no job: ");
        answer.Jobs.ShouldHaveSingleItem().Key.ShouldBe("73.head");
    }

    [Fact]
    public async Task A_job_that_can_be_read_in_the_plain_table_alone_is_seen_there_and_its_end_is_not_made_up()
    {
        var provider = new BatchProvider(s_openpbs, new Unreadable(Heading + """
            100.head          funcx-012345678  user              00:00:00 R workq           
            101.head          funcx-012345678  user                     0 Q workq           
            102.head          funcx-012345678  user              00:00:00 F workq           
            103.head          somebodys        other             00:00:00 R workq           

            """), TimeSpan.FromSeconds(10), new FakeTimeProvider());
        var blocks = Enumerable.Range(100, 5).Select(number => new SubmittedBlock(_scratch.Block("", id: $"b{number}"), $"{number}.head")).ToList();
        (await provider.QueryAsync(blocks, TestContext.Current.CancellationToken)).Select(static status => status.State)
            .ShouldBe([BlockState.Running, BlockState.Pending, BlockState.Unknown, BlockState.Unknown, BlockState.Unknown]);
    }

    /// <summary>Else a block whose submission was cut short would be submitted twice.</summary>
    [Fact]
    public async Task A_job_is_not_looked_for_by_its_name_where_names_are_cut()
    {
        var provider = new BatchProvider(s_openpbs, new Nameless(), TimeSpan.FromSeconds(10), new FakeTimeProvider());
        var problem = await Should.ThrowAsync<BlockProviderException>(() => provider.FindAsync(_scratch.Block("", id: "b100"), TestContext.Current.CancellationToken));
        problem.Message.ShouldContain("nothing that could say what the jobs 100.head are called");
    }

    /// <summary>A number of ids, none of them, or no answer: by what is taken for no jobs a block would be submitted twice.</summary>
    [Theory]
    [InlineData("100.head\n101.head\n", "100.head 101.head")]
    [InlineData("", "")]
    [InlineData("100.head\n101.he", null)]
    [InlineData("<html>502 Bad Gateway</html>\n", null)]
    [InlineData("100.head\nqselect: something else\n", null)]
    public void A_list_of_jobs_is_one_of_ids_alone(string output, string? expected)
    {
        var answer = s_openpbs.ReadList(new CommandOutput(0, output, ""), "user");
        (answer.Jobs is null ? null : string.Join(' ', answer.Jobs.Select(static job => job.Id))).ShouldBe(expected);
        if (expected is null)
            answer.Message.ShouldStartWith("it printed what is no list of ids");
    }

    /// <summary>What else is printed as JSON is in the recordings.</summary>
    [Theory]
    [InlineData("{\"pbs_server\": \"head\", \"Jobs\": []}")]
    [InlineData("{\"pbs_server\": \"head\", \"Jobs\": null}")]
    [InlineData("{\"pbs_server\": \"head\", \"Reservations\": {}}")]
    public void JSON_without_jobs_that_is_not_about_them_is_not_taken_for_none(string json)
    {
        var answer = s_openpbs.Queries[1].Read(new CommandOutput(0, json, ""));
        answer.Kind.ShouldBe(AnswerKind.Garbled);
        answer.Message.ShouldNotBeEmpty();
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

    private static StatusAnswer Table(int exitCode, string lines) => s_openpbs.Queries[3].Read(new CommandOutput(exitCode, Heading + lines, ""));

    // Its text is not that of PBS; given a plain table, its JSON is not either.
    private sealed class Unreadable(string? table = null) : ICommandRunner
    {
        public List<SchedulerCommand> Commands { get; } = [];

        public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation)
        {
            Commands.Add(command);
            var id = command.Arguments[^1];
            if (table is not null)
                return Task.FromResult(new CommandOutput(0, command.Arguments[0][0] == '-' ? "<html>\n" : table, ""));
            return Task.FromResult(new CommandOutput(0, command.Arguments.Contains("json") ? $"{{\"pbs_server\": \"head\", \"Jobs\": {{\"{id}\": {{\"job_state\": \"R\"}}}}}}\n" : "<html>\n", ""));
        }
    }

    // Has the plain table alone.
    private sealed class Nameless : ICommandRunner
    {
        public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation) => Task.FromResult(command switch
        {
            { Program: "qselect" } => new CommandOutput(0, "100.head\n", ""),
            _ when command.Arguments.Contains("-f") => new CommandOutput(2, "", "qstat: invalid option -- 'f'\n"),
            _ => new CommandOutput(0, $"{Heading}100.head          funcx-012345678  user              00:00:00 R workq           \n", ""),
        });
    }
}
