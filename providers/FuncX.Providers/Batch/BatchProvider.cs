using System.Globalization;

namespace FuncX.Providers.Batch;

/// <summary>
/// The one template of all batch providers: submits scripts, asks once for all blocks, ends jobs and finds them again by their names. What is particular about a scheduler
/// is in its <see cref="IBatchScheduler"/>.
/// </summary>
/// <param name="pollInterval">How often the scheduler is asked while it answers as it should.</param>
public sealed class BatchProvider(IBatchScheduler scheduler, ICommandRunner runner, TimeSpan pollInterval, TimeProvider time) : IBlockProvider
{
    /// <summary>How long every source must go on not knowing a job before it is lost: accounting lags by seconds, and a restarted controller reads its jobs first.</summary>
    public static readonly TimeSpan LostAfter = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long a job that the scheduler does not know any more may wait for those who could say how it ended and do not answer. Not for ever: until then its block is one of those that there may be.
    /// </summary>
    public static readonly TimeSpan LostUnheardAfter = TimeSpan.FromMinutes(10);

    // At one poll, of a source that is asked about what others could not be read of.
    private const int MostCommands = 8;

    // Where a scheduler's words name no key.
    private const string AnyKey = "the keys below provider, and provider.directives; `funcx-endpoint render FILE` prints the script";

    private static readonly TimeSpan s_askAgain = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_endsWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_hurry = TimeSpan.FromSeconds(5);

    private readonly PollBackOff _backOff = new(pollInterval, time);
    private readonly Dictionary<string, BlockStatus> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _missingSince = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _unheardSince = new(StringComparer.Ordinal);
    private readonly HashSet<string> _cancelled = new(StringComparer.Ordinal);
    private readonly Dictionary<StatusQuery, long> _notHere = [];
    private readonly Dictionary<StatusQuery, int> _turns = [];
    private string _away = "";

    public string Name => scheduler.Name;

    public TimeSpan PollInterval => _backOff.Pause is var pause && pause > TimeSpan.Zero ? pause : pollInterval;

    public bool AppearsLate => true;

    public async Task<string> SubmitAsync(BlockRequest block, CancellationToken cancellation)
    {
        var job = new BatchJob(block);
        // Private, since it names paths of the user's; the scheduler reads it as the user.
        await File.WriteAllTextAsync(job.ScriptPath, scheduler.Script(job), cancellation);
        File.SetUnixFileMode(job.ScriptPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var command = scheduler.Submit(job);
        var output = await runner.RunAsync(command, block.Directory, cancellation);
        var answer = output.TimedOut ? new SubmitAnswer(SubmitKind.Unclear, output.Said) : scheduler.ReadSubmit(output);
        var what = $"block {block.BlockId} of endpoint '{block.Endpoint}'";
        return answer.Kind switch
        {
            SubmitKind.Accepted when scheduler.IsJobId(answer.Text) => answer.Text,
            SubmitKind.Refused => throw new BlockProviderException(
                $"{command.Program} refused {what} (exit {output.ExitCode}): \"{answer.Text}\". Check {(answer.Key.Length > 0 ? answer.Key : AnyKey)}"),
            SubmitKind.Away => throw new BlockProviderException($"{command.Program} could not reach the scheduler for {what}: {answer.Text}"),
            _ => throw new BlockSubmissionUnclearException($"{command.Program} did not say whether it took {what}: {answer.Text}"),
        };
    }

    public async Task<string?> FindAsync(BlockRequest block, CancellationToken cancellation)
    {
        var name = new BatchJob(block).Name;
        // The newest, should there be several: ids count upwards, and a longer one is the larger number.
        return (await ListAsync(block.Directory, cancellation)).Where(job => job.Name == name).Select(static job => job.Id)
            .OrderBy(static id => id.Length).ThenBy(static id => id, StringComparer.Ordinal).LastOrDefault();
    }

    public async Task<IReadOnlyList<BlockStatus>> QueryAsync(IReadOnlyList<SubmittedBlock> blocks, CancellationToken cancellation)
    {
        if (blocks.Count == 0)
            return [];
        if (!_backOff.IsDue)
            return [.. blocks.Select(block => _known.TryGetValue(block.JobId, out var known) ? known : new BlockStatus(BlockState.Unknown, _away))];
        var ids = blocks.Select(static block => block.JobId).Where(scheduler.IsJobId).Distinct(StringComparer.Ordinal).ToList();
        var begun = time.GetTimestamp();
        var round = new QueryRound(blocks.DistinctBy(static block => block.JobId).ToDictionary(static block => block.JobId, static block => new BatchJob(block.Block).Name, StringComparer.Ordinal));
        StatusQuery? nearest = null;
        foreach (var query in scheduler.Queries.Where(IsHere))
        {
            foreach (var some in Turn(query, round, round.Open(ids, query)).Chunk(query.MostIds))
            {
                var answer = await AskAsync(query, some, blocks[0].Block.Directory, cancellation);
                if (answer.Kind == AnswerKind.NotHere)
                    break;
                // A PBS server without job history does not have the first.
                nearest ??= query;
                round.Take(query, some, answer, query == nearest);
            }

            // Who cannot say where jobs are need not be asked about the details.
            if (round.IsAway)
                break;
        }

        _backOff.OnAsked(!round.IsAway, time.GetElapsedTime(begun));
        _away = round.IsAway ? round.Message : "";
        if (round.IsAway && round.KnowsNothing)
            throw new BlockProviderException($"{scheduler.Name} does not answer, which is tried again in {_backOff.Pause.TotalSeconds:F0} s; blocks stay as they were: {round.Message}");
        var answers = new BlockStatus[blocks.Count];
        for (var i = 0; i < answers.Length; i++)
        {
            answers[i] = Conclude(blocks[i], round);
            _known[blocks[i].JobId] = answers[i];
        }

        Forget(ids);
        return answers;
    }

    public void Hurry() => _backOff.Hurry(s_hurry);

    // A job's own nodes are the scheduler's business: what one has lost comes back by a requeue or not at all.
    public Task<string> RepairAsync(SubmittedBlock block, CancellationToken cancellation) => Task.FromResult(block.JobId);

    public async Task CancelAsync(SubmittedBlock block, CancellationToken cancellation)
    {
        if (!scheduler.IsJobId(block.JobId))
            return;
        await CancelAsync(block.JobId, block.Block.Directory, cancellation);
        lock (_cancelled)
            _cancelled.Add(block.JobId);
        _backOff.OnOrder(s_endsWithin);
    }

    public async Task<IReadOnlyList<string>> EndOrphansAsync(string owner, IReadOnlySet<string> blockIds, string directory, CancellationToken cancellation)
    {
        if (owner.Length == 0)
            return [];
        var prefix = BatchJob.PrefixOf(owner);
        var ended = new List<string>();
        foreach (var job in await ListAsync(directory, cancellation))
        {
            if (job.IsOver || job.Name?.StartsWith(prefix, StringComparison.Ordinal) != true || blockIds.Contains(job.Name[prefix.Length..]))
                continue;
            await CancelAsync(job.Id, directory, cancellation);
            ended.Add(job.Id);
        }

        return ended;
    }

    private async Task CancelAsync(string jobId, string workingDirectory, CancellationToken cancellation)
    {
        var command = scheduler.Cancel(jobId);
        var output = await runner.RunAsync(command, workingDirectory, cancellation);
        var answer = output.TimedOut ? new CancelAnswer(CancelKind.Away, output.Said) : scheduler.ReadCancel(output);
        if (answer.Kind == CancelKind.Refused)
            throw new BlockProviderException($"{command.Program} refused to end job {jobId}: {answer.Message}. Run `{command}` by hand as the job's owner, or ask who administers {scheduler.Name}");
        if (answer.Kind == CancelKind.Away)
            throw new BlockProviderException($"{command.Program} could not reach the scheduler to end job {jobId}: {answer.Message}");
    }

    private async Task<IReadOnlyList<JobListing>> ListAsync(string workingDirectory, CancellationToken cancellation)
    {
        var command = scheduler.List(Environment.UserName);
        var output = await runner.RunAsync(command, workingDirectory, cancellation);
        var answer = output.TimedOut ? new ListAnswer(null, output.Said) : scheduler.ReadList(output, Environment.UserName);
        if (answer.Jobs is not { } jobs)
            throw new BlockProviderException($"{command.Program} could not say which jobs there are: {answer.Message}");
        var valid = jobs.Where(job => scheduler.IsJobId(job.Id)).ToList();
        var nameless = valid.Where(static job => job.Name is null).Select(static job => job.Id).ToList();
        if (nameless.Count == 0)
            return valid;
        return [.. valid.Where(static job => job.Name is not null), .. await NamedAsync(nameless, workingDirectory, cancellation)];
    }

    // By the first source that is here: without job history a PBS server refuses the question that is asked first elsewhere.
    private async Task<List<JobListing>> NamedAsync(IReadOnlyList<string> ids, string workingDirectory, CancellationToken cancellation)
    {
        var why = "";
        foreach (var query in scheduler.Queries.Where(static query => !query.LacksNames).Where(IsHere))
        {
            var named = new List<JobListing>();
            var isHere = true;
            foreach (var some in ids.Chunk(query.MostIds))
            {
                var answer = await AskAsync(query, some, workingDirectory, cancellation);
                isHere = answer.Kind != AnswerKind.NotHere;
                why = answer.Message;
                if (!isHere)
                    break;
                if (answer.Kind != AnswerKind.Answered)
                    throw new BlockProviderException($"{scheduler.Name} could not say what the jobs {string.Join(", ", some)} are called: {why}");
                named.AddRange(answer.Jobs.Select(static job => new JobListing(job.Key, job.Value.Name, job.Value.Condition.IsEnd())));
            }

            if (isHere)
                return named;
        }

        throw new BlockProviderException($"{scheduler.Name} has nothing that could say what the jobs {string.Join(", ", ids)} are called: {why}");
    }

    // Where the first source cannot be read, one that takes a single id would cost a command for each block at every poll: they take turns. What has ended is asked about once, and at once.
    private IReadOnlyList<string> Turn(StatusQuery query, QueryRound round, IReadOnlyList<string> open)
    {
        var most = query.MostIds * MostCommands;
        var unknown = open.Where(id => round.Find(id) is null).ToList();
        if (unknown.Count <= most)
            return open;
        var from = _turns.GetValueOrDefault(query) % unknown.Count;
        _turns[query] = from + most;
        var now = unknown.Skip(from).Concat(unknown.Take(from)).Take(most).ToList();
        round.Defer(unknown.Except(now, StringComparer.Ordinal));
        return [.. open.Where(id => round.Find(id) is not null), .. now];
    }

    private async Task<StatusAnswer> AskAsync(StatusQuery query, IReadOnlyList<string> ids, string workingDirectory, CancellationToken cancellation)
    {
        var command = query.Command(ids);
        CommandOutput output;
        try
        {
            output = await runner.RunAsync(command, workingDirectory, cancellation);
        }
        catch (BlockProviderException missing)
        {
            // A site may have no accounting; a scheduler without its main command is a PATH that lacks it.
            return query == scheduler.Queries[0] ? StatusAnswer.Away(missing.Message) : StatusAnswer.NotHere(missing.Message);
        }

        if (output.TimedOut)
            return StatusAnswer.Away($"{command.Program}: {output.Said}");
        var answer = query.Read(output);
        if (answer.Kind == AnswerKind.NotHere)
            _notHere[query] = time.GetTimestamp();
        return output.Cut && answer.Kind == AnswerKind.Answered ? StatusAnswer.Garbled($"{command.Program} wrote more than {CommandRunner.MostBytes} bytes", answer.Jobs) : answer;
    }

    // What a site does not have it will not have at the next poll.
    private bool IsHere(StatusQuery query) => !_notHere.TryGetValue(query, out var since) || time.GetElapsedTime(since) > s_askAgain;

    private BlockStatus Conclude(SubmittedBlock block, QueryRound round)
    {
        if (!scheduler.IsJobId(block.JobId))
            return new BlockStatus(BlockState.Lost, $"'{block.JobId}' is not a job id of {scheduler.Name}");
        if (round.Find(block.JobId) is { } report)
        {
            _missingSince.Remove(block.JobId);
            _unheardSince.Remove(block.JobId);
            var state = report.Condition.ToBlockState();
            return new BlockStatus(state, state.IsEnd() ? WithLogs(block.Block, report) : report.Describe(), EndsAt: time.GetUtcNow() + report.Left, Suspended: report.Condition == JobCondition.Suspended);
        }

        // A question without an answer is none: the job may be there.
        return round.IsAnswered(block.JobId) || round.IsGone(block.JobId) ? Missing(block, round) : new BlockStatus(BlockState.Unknown, round.Message);
    }

    private BlockStatus Missing(SubmittedBlock block, QueryRound round)
    {
        var answered = round.IsAnswered(block.JobId);
        var missing = Since(answered ? _missingSince : _unheardSince, block.JobId);
        // A record that answers now and then does not begin the ten minutes anew; one that is back may first have to hear of the end.
        if (!answered)
            _missingSince.Remove(block.JobId);
        var job = new BatchJob(block.Block);
        var gone = $"{scheduler.Name} does not know job {block.JobId} any more";
        if (answered && scheduler.ReadEnd(job, block.JobId, ReadFile) is { } end)
            return new BlockStatus(end.Condition.ToBlockState(), WithLogs(block.Block, end));
        if (IsCancelled(block.JobId))
            return new BlockStatus(BlockState.Cancelled, "");
        if (!answered && missing < LostUnheardAfter)
            return new BlockStatus(BlockState.Unknown, $"{gone}, and who may know how it ended does not answer: {round.Message}");
        // Its end may be on its way to the record.
        if (round.Outdated(block.JobId) is { } record && missing < LostAfter)
            return new BlockStatus(BlockState.Unknown, $"{gone}, and accounting, which has not heard of its end, calls it {record.Condition}");
        if (int.TryParse(ReadFile(job.ExitPath)?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var code))
            return Left(block, code, $"{gone}; its script left exit status {code}");
        if (answered && missing < LostAfter)
            return new BlockStatus(BlockState.Unknown, $"{gone}; it is lost when that stays so for {LostAfter.TotalSeconds} s");
        return new BlockStatus(BlockState.Lost, $"{gone}, and nothing says how it ended{(answered ? "" : $": {round.Message}")}");
    }

    // The script's own word. Managers that a scheduler tells to end leave with 0, too: that is no end by itself, and a job that nobody knows is never completed.
    private static BlockStatus Left(SubmittedBlock block, int code, string reason) => code == 0
        ? new BlockStatus(BlockState.Lost, reason)
        : new BlockStatus(BlockState.Failed, WithLogs(block.Block, new JobReport(JobCondition.Failed, reason) { ExitCode = code }));

    private bool IsCancelled(string jobId)
    {
        lock (_cancelled)
            return _cancelled.Contains(jobId);
    }

    private TimeSpan Since(Dictionary<string, long> times, string jobId)
    {
        if (!times.TryGetValue(jobId, out var since))
            times[jobId] = since = time.GetTimestamp();
        return time.GetElapsedTime(since);
    }

    // What the script and the managers said at last is what a person needs to cure it.
    private static string WithLogs(BlockRequest block, JobReport report)
    {
        var reason = report.Describe();
        if (report.Condition is JobCondition.Completed or JobCondition.Cancelled)
            return reason;
        var name = new BatchJob(block).Name;
        foreach (var log in (string[])["batch.log", $"{name}.output", $"{name}.error", .. NodeLogs(block.Directory), AgentPerBlock.Log])
        {
            if (LogTail.Read(Path.Combine(block.Directory, log)) is { Length: > 0 } tail)
                reason += $"; {log} ends with: {tail}";
        }

        return reason;
    }

    // The newest, whose numbers may be any: PBS counts on over all jobs of a node.
    private static IEnumerable<string> NodeLogs(string directory)
    {
        const int Most = 2;
        try
        {
            return
            [
                .. new DirectoryInfo(directory).EnumerateFiles("node-*.log").OrderByDescending(static log => log.LastWriteTimeUtc).ThenBy(static log => log.Name, StringComparer.Ordinal)
                    .Take(Most).Select(static log => log.Name),
            ];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string? ReadFile(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Forget(List<string> ids)
    {
        var still = ids.ToHashSet(StringComparer.Ordinal);
        foreach (var gone in _known.Keys.Where(id => !still.Contains(id)).ToList())
            _known.Remove(gone);
        foreach (var times in (Dictionary<string, long>[])[_missingSince, _unheardSince])
        {
            foreach (var gone in times.Keys.Where(id => !still.Contains(id)).ToList())
                times.Remove(gone);
        }

        lock (_cancelled)
            _cancelled.RemoveWhere(id => !still.Contains(id));
    }
}
