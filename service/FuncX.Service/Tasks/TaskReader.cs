using FuncX.Contracts.V1;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Wire;
using Google.Protobuf;

namespace FuncX.Service.Tasks;

/// <summary>Answers questions about single tasks and groups, from memory and from disk.</summary>
public sealed class TaskReader(TaskEngine engine, FunctionCatalog functions, EndpointCatalog endpoints)
{
    private readonly TaskStore _store = engine.Store;

    /// <summary>One task of an owner with its outcome and the time of each hop; null: there is none of that id.</summary>
    public async ValueTask<TaskInfo?> GetAsync(int owner, TaskId id, bool withCall = false)
    {
        var body = new StoredValue();
        var info = await GetAsync(owner, id, (section, rows, row) => Locate(body, section, rows, row), withCall);
        // Both together could be more than a message.
        if (info is not null && body.Bytes > 0 && !withCall)
            FillBody(info, body);
        return info;
    }

    /// <summary>Where the value of a task lies; null: there is none of that id.</summary>
    internal async ValueTask<StoredValue?> FindValueAsync(int owner, TaskId id)
    {
        var value = new StoredValue();
        value.Info = await GetAsync(owner, id, (section, rows, row) => Locate(value, section, rows, row));
        return value.Info is null ? null : value;
    }

    /// <summary>How tasks of a group that have ended did so, without those whose results have expired. Each chunk is read once, however many of them it has.</summary>
    internal async ValueTask<Dictionary<TaskId, TaskOutcome>> ReadOutcomesAsync(int owner, string group, IReadOnlySet<TaskId> tasks)
    {
        var keys = tasks.Select(task => new BatchKey(task.Batch, owner)).Distinct().ToList();
        var live = await engine.LookAsync(state => keys.ConvertAll(key => state.TryGet(key, out var batch) ? batch.ResultChunks.ToArray() : null));
        // After the look: what left memory before it is in the index by now.
        var chunks = new SortedSet<long>(keys.SelectMany((key, at) => live[at] ?? _store.Index.Find(key)?.ResultChunks ?? (IEnumerable<long>)[]));
        var (outcomes, number, rows) = (new Dictionary<TaskId, TaskOutcome>(), GroupState.NumberOf(owner, group), new ResultRows());
        foreach (var id in chunks)
        {
            if (outcomes.Count == tasks.Count)
                break;
            if (_store.ReadResults(id) is { } chunk)
                Collect(chunk, owner, number, tasks, rows, outcomes);
        }

        return outcomes;
    }

    private static void Collect(ChunkResults chunk, int owner, ulong group, IReadOnlySet<TaskId> wanted, ResultRows rows, Dictionary<TaskId, TaskOutcome> outcomes)
    {
        for (var rest = chunk.Sections; rest.Length > 0; rest = rest[ResultRows.LengthOf(rest.Span)..])
        {
            if (!ResultRows.IsOf(rest.Span, group))
                continue;
            rows.Read(rest.Span, chunk.Time);
            for (var row = 0; rows.Batch.Owner == owner && row < rows.Count; row++)
            {
                var task = new TaskId(rows.Batch.Id, (uint)rows.Index[row]);
                if (wanted.Contains(task))
                    outcomes.TryAdd(task, rows.Outcome[row]);
            }
        }
    }

    /// <summary>Whether a task has ended and its result is kept no longer.</summary>
    public static bool IsExpired(TaskInfo info) => info is { State: TaskState.Done, Outcome: Outcome.Unspecified };

    /// <summary>Counts of a group of an owner; null: it has no tasks.</summary>
    public async ValueTask<GroupInfo?> GetGroupAsync(int owner, string name)
    {
        var (live, lastChunk, indexed) = await engine.LookAsync(state => state.Groups.TryGetValue((owner, name), out var group)
            ? (GroupReader.Describe(group), group.LastChunk, state.Indexed)
            : (new GroupInfo { Group = name }, 0, state.Indexed));
        // What goes to the index after the look was counted in memory.
        var (_, tasks, failed, lastIndexed) = _store.Index.Count(owner, name, indexed);
        live.Tasks += tasks;
        live.Done += tasks;
        live.Failed += failed;
        if (live.Tasks == 0)
            return null;
        live.Labels.Add(_store.Labels.Read(owner, name));
        live.LastActive = _store.TimesOf([Math.Max(lastChunk, lastIndexed)])[0];
        return live;
    }

    /// <summary>Tasks of a group, in memory first, then those in the index; <paramref name="after"/> is what the last answer's next said.</summary>
    /// <exception cref="FormatException">The text is not such a place.</exception>
    public async ValueTask<ListTasksReply> ListAsync(int owner, string group, TaskState state, int limit, string after)
    {
        var place = ListPlace.Parse(after);
        var reply = new ListTasksReply();
        var rows = new ResultRows();
        while (!place.OnDisk)
        {
            var from = place;
            var (live, indexed) = await engine.LookAsync(state => (Next(state, owner, group, from, limit), state.Indexed));
            if (place.Boundary < 0)
                place = place with { Boundary = indexed };
            if (Earlier(live, NextMoved(owner, group, place)) is not { } view)
            {
                place = place.AtSegments;
                break;
            }

            for (var index = place.IsIn(view) ? place.Index : 0; index < view.Count && view.Has(index); index++)
            {
                place = place.At(view, index + 1);
                if (state != TaskState.Unspecified && view.StateOf(index) != state)
                    continue;
                if (!TryAdd(reply, view, index, rows))
                    continue;
                if (reply.Tasks.Count == limit)
                    return Ends(reply, place);
            }

            if (place.Index >= view.Count)
                place = place.Behind(view);
        }

        if (state is TaskState.Unspecified or TaskState.Done)
            ListIndexed(reply, owner, group, limit, place, rows);
        return reply;
    }

    /// <summary>The unfinished or not yet indexed batch of a group that comes next.</summary>
    private static BatchView? Next(LiveState live, int owner, string group, ListPlace place, int limit)
    {
        if (!live.Groups.TryGetValue((owner, group), out var state))
            return null;
        Batch? best = null;
        foreach (var batch in live.Batches.Values)
        {
            if (batch.Group == state && !place.IsBehind(batch.SubmitChunk, batch.SubmitOffset) && (best is null || batch.Number < best.Number))
                best = batch;
        }

        if (best is null)
            return null;
        var within = best.SubmitChunk == place.Major && best.SubmitOffset == place.Offset;
        return BatchView.Of(best, within ? place.Index : 0, Math.Max(limit, 1000));
    }

    /// <summary>The batch that comes next among those which went to the index since the listing began.</summary>
    private BatchView? NextMoved(int owner, string group, ListPlace place)
    {
        if (_store.Index.Newest <= place.Boundary)
            return null;
        FinishedRecord? best = null;
        foreach (var (_, record) in _store.Index.BatchesOf(owner, group, place.Boundary + 1))
        {
            if (!place.IsBehind(record.SubmitChunk, record.SubmitOffset)
                && (best is null || (record.SubmitChunk, record.SubmitOffset).CompareTo((best.SubmitChunk, best.SubmitOffset)) < 0))
                best = record;
        }

        return best is null ? null : BatchView.Of(best);
    }

    private static BatchView? Earlier(BatchView? one, BatchView? other) =>
        one is null ? other
        : other is null ? one
        : (one.SubmitChunk, one.SubmitOffset).CompareTo((other.SubmitChunk, other.SubmitOffset)) <= 0 ? one : other;

    private void ListIndexed(ListTasksReply reply, int owner, string group, int limit, ListPlace place, ResultRows rows)
    {
        foreach (var (segment, record) in _store.Index.BatchesOf(owner, group, place.Major))
        {
            if (segment > place.Boundary)
                return;
            if (segment == place.Major && record.Key.Id < place.Id)
                continue;
            var view = BatchView.Of(record);
            for (var index = segment == place.Major && record.Key.Id == place.Id ? place.Index : 0; index < record.Count; index++)
            {
                if (reply.Tasks.Count == limit)
                {
                    Ends(reply, place with { Major = segment, Id = record.Key.Id, Index = index });
                    return;
                }

                TryAdd(reply, view, index, rows);
            }
        }
    }

    /// <summary>False: the task's result has expired, and with it the task.</summary>
    private bool TryAdd(ListTasksReply reply, BatchView view, int index, ResultRows rows)
    {
        var info = Describe(view, index, rows, found: null);
        if (IsExpired(info))
            return false;
        reply.Tasks.Add(info);
        return true;
    }

    private static ListTasksReply Ends(ListTasksReply reply, ListPlace place)
    {
        reply.Next = place.ToString();
        return reply;
    }

    private TaskInfo Describe(BatchView view, int index, ResultRows rows, FoundRow? found)
    {
        var info = new TaskInfo
        {
            TaskId = new TaskId(view.Key.Id, (uint)index).ToString(),
            FunctionId = functions.TryGetByNumber(view.Function, out var function) ? function.FunctionId : "",
            EndpointId = endpoints.TryGetByNumber(view.Endpoint, out var endpoint) ? endpoint.EndpointId : "",
            Group = view.Group,
            State = view.StateOf(index),
            Times = new HopTimes(),
            MaxAttempts = view.MaxAttempts,
            Losses = view.LossesOf(index),
            WaitingFor = view.StateOf(index) == TaskState.Queued ? (uint)view.WaitingFor : 0,
            Attempts = view.StateOf(index) == TaskState.Queued ? view.AttemptOf(index) - 1u : view.AttemptOf(index),
        };
        DescribeSubmission(info, view);
        info.Times.ServiceSent = view.SentOf(index);
        if (info.State == TaskState.Done)
            DescribeResult(info, view, index, rows, found);
        return info;
    }

    private void DescribeSubmission(TaskInfo info, BatchView view)
    {
        info.Times.ServiceCommitted = view.Committed;
        if (ReadSubmission(view) is not { } record)
            return;
        info.Times.ClientSent = record.ClientSent;
        info.Times.ServiceAccepted = record.Accepted;
        info.MaxAttempts = record.MaxAttempts;
        info.ContentType = (uint)record.ContentType;
    }

    private SubmissionRecord? ReadSubmission(BatchView view) =>
        _store.ReadChunk(view.SubmitChunk) is { } chunk && view.SubmitOffset + (long)view.SubmitBytes <= chunk.Length
            ? SubmissionCodec.Read(chunk.AsMemory(view.SubmitOffset, view.SubmitBytes))
            : null;

    private TaskCall? DescribeCall(SubmissionRecord record, int index)
    {
        ReadOnlyMemory<byte> arguments;
        if (record.LargeBytes is not null && record.LargeBytes[index] > 0)
        {
            if (!_store.Segments.Has(record.Large![index].File))
                return null;
            var large = new byte[record.LargeBytes[index]];
            _store.Segments.Read(record.Large[index], large);
            arguments = large;
        }
        else
        {
            arguments = record.Bodies.Slice(record.Offsets is { } offsets ? offsets[index] : index * record.SameLength, record.BytesOf(index));
        }

        return new TaskCall
        {
            ContentType = (uint)record.ContentType,
            Arguments = UnsafeByteOperations.UnsafeWrap(arguments),
            Options = new TaskOptions
            {
                WalltimeMs = record.WalltimeMilliseconds,
                Deadline = record.Deadline,
                Priority = record.Priority,
                MaxAttempts = record.MaxAttempts,
                Retry = record.Retry is { } retry ? new RetryOptions { Times = (uint)retry.Times, BackoffMs = retry.BackoffMilliseconds, On = { retry.On } } : null,
                After = { (record.After ?? []).Select(static dependency => dependency.ToString()) },
            },
        };
    }

    private void DescribeResult(TaskInfo info, BatchView view, int index, ResultRows rows, FoundRow? found)
    {
        var complete = true;
        foreach (var id in view.ResultChunks)
        {
            if (_store.ReadResults(id) is not { } chunk)
            {
                complete = false;
                continue;
            }

            for (var offset = 0; offset < chunk.Sections.Length;)
            {
                var section = chunk.Sections[offset..];
                var length = ResultRows.LengthOf(section.Span);
                offset += length;
                rows.Read(section.Span, chunk.Time);
                if (rows.Batch != view.Key)
                    continue;
                var row = Array.IndexOf(rows.Index, index, 0, rows.Count);
                if (row < 0)
                    continue;
                Fill(info, rows, row, _store.CommittedAt(id));
                found?.Invoke(section[..length], rows, row);
                return;
            }
        }

        // Its result was in the turn of the look and not yet durable.
        if (complete)
            info.State = TaskState.Dispatched;
    }

    private static void Fill(TaskInfo info, ResultRows rows, int row, long committed)
    {
        info.Outcome = (Outcome)rows.Outcome[row];
        info.Attempts = rows.Attempt[row];
        info.ContentType = (uint)rows.ContentType[row];
        info.Code = rows.Code[row];
        info.ValueBytes = (ulong)rows.ValueBytes[row];
        info.Times.ServiceCommitted = rows.BatchCommitted;
        info.Times.ServiceSent = rows.Time(ResultTimes.Sent, row);
        info.Times.EndpointReceived = rows.Time(ResultTimes.EndpointReceived, row);
        info.Times.EndpointSent = rows.Time(ResultTimes.EndpointSent, row);
        info.Times.ManagerReceived = rows.Time(ResultTimes.ManagerReceived, row);
        info.Times.WorkerStarted = rows.Time(ResultTimes.WorkerStarted, row);
        info.Times.WorkerEnded = rows.Time(ResultTimes.WorkerEnded, row);
        info.Times.EndpointBack = rows.Time(ResultTimes.EndpointBack, row);
        info.Times.ServiceBack = rows.Time(ResultTimes.ServiceBack, row);
        info.Times.ResultCommitted = committed;
    }

    private async ValueTask<TaskInfo?> GetAsync(int owner, TaskId id, FoundRow found, bool withCall = false)
    {
        var key = new BatchKey(id.Batch, owner);
        var view = await engine.LookAsync(state => state.TryGet(key, out var batch) ? BatchView.Of(batch, (int)Math.Min(id.Index, int.MaxValue), 1) : null)
            ?? (_store.Index.Find(key) is { } finished ? BatchView.Of(finished) : null);
        if (view is null || id.Index >= (uint)view.Count)
            return null;
        var info = Describe(view, (int)id.Index, new ResultRows(), found);
        if (info.State != TaskState.Done && info.WaitingFor == 0)
            info.WaitingReason = view.EndpointNote;
        if (withCall && ReadSubmission(view) is { } record)
            info.Call = DescribeCall(record, (int)id.Index);
        return info;
    }

    private static void Locate(StoredValue body, ReadOnlyMemory<byte> section, ResultRows rows, int row)
    {
        body.Bytes = rows.BodyBytes(row);
        body.ValueBytes = rows.ValueBytes[row];
        body.StdoutBytes = rows.StdoutBytes[row];
        body.Large = rows.Large[row];
        if (!body.Large.IsNone)
            return;
        var at = rows.BodiesOffset;
        for (var before = 0; before < row; before++)
            at += rows.Large[before].IsNone ? rows.BodyBytes(before) : 0;
        body.Small = section.Slice(at, body.Bytes);
    }

    private void FillBody(TaskInfo info, StoredValue found)
    {
        var (body, value) = (found.Small, found.ValueBytes);
        if (!found.Large.IsNone && value > ResultMessage.LargestValue)
        {
            var output = new byte[found.Bytes - value];
            _store.Segments.ReadEnd(found.Large, found.Bytes, value, output);
            (body, value) = (output, 0);
        }
        else if (!found.Large.IsNone)
        {
            var large = new byte[found.Bytes];
            _store.Segments.Read(found.Large, large);
            body = large;
        }

        info.Value = UnsafeByteOperations.UnsafeWrap(body[..value]);
        info.Stdout = UnsafeByteOperations.UnsafeWrap(body.Slice(value, found.StdoutBytes));
        info.Stderr = UnsafeByteOperations.UnsafeWrap(body[(value + found.StdoutBytes)..]);
    }

    private delegate void FoundRow(ReadOnlyMemory<byte> section, ResultRows rows, int row);
}
