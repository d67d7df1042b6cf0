using System.Text.Json;
using FuncX.Service.Links;
using FuncX.Service.Observation;
using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks;

/// <summary>
/// One turn of the engine in the making: the state, and the chunk that says how it changes. Events call its verbs; each changes the state and
/// writes the change. Single-threaded.
/// </summary>
internal sealed class Turn(TaskStore store)
{
    /// <summary>A section larger than this is split, so that one message of a result stream stays of a moderate size.</summary>
    private const long SectionBytes = 1 << 20;

    /// <summary>A turn that has so much takes no further event. One event may go beyond by what one message or one batch holds.</summary>
    private const int FullBytes = 8 << 20;
    private const int FullResults = 200_000;

    /// <summary>How far beyond that batches may expire while work is handed out.</summary>
    private const int Overfull = 4;

    /// <summary>How often a task may be handed out, per attempt it may lose, when endpoint after endpoint forgets it.</summary>
    private const int MissesPerAttempt = 10;

    private readonly ChunkBuffer _changes = new(1 << 20);
    private readonly ChunkBuffer _sections = new(1 << 20);
    private readonly ChunkBuffer _scratch = new();
    private readonly List<Batch> _touched = [];
    private readonly List<(GroupState Group, ResultPosition Position)> _positions = [];
    private readonly List<EndpointState> _ready = [];
    private readonly List<Batch> _submitted = [];
    private readonly List<(LinkSession Link, LinkItem Item)> _items = [];

    /// <summary>What the turn changes beside submissions and results, for fail points; empty unless one is chosen.</summary>
    private readonly HashSet<string> _marks = [];
    private TaskResult[] _results = new TaskResult[1024];
    private int _resultCount;
    private int _sectionCount;
    private long _bodyBytes;
    private long _firstBatch;
    private long _dispatched;
    private long _losses;
    private readonly List<TracedTask> _traced = [];

    public LiveState State { get; set; } = new();

    public TaskStore Store => store;

    public TaskTally Tally { get; } = new();

    /// <summary>What the turn changes of groups' labels.</summary>
    public LabelChanges Labels { get; } = new(store.Labels);

    /// <summary>Takes the tasks that become a trace; null: none do.</summary>
    public TaskTraces? Traces { get; init; }

    /// <summary>Unix microseconds.</summary>
    public long Now { get; private set; }

    /// <summary>The next event belongs into the next turn.</summary>
    public bool IsFull => Bytes >= FullBytes || _resultCount >= FullResults;

    /// <summary>Endpoints that <see cref="Dispatch"/> left for the next turn.</summary>
    public List<EndpointState> LeftReady { get; } = [];

    /// <summary>Bytes the chunk has so far, about.</summary>
    private long Bytes => _changes.Length + (_resultCount * 64L) + _bodyBytes;

    public FinishedSegment? Segment { get; private set; }

    /// <summary>Bodies kept in memory at most.</summary>
    public long BodyBudget { get; init; } = 256 << 20;

    /// <summary>Requests kept in memory at most for the large bodies among them, so that small ones keep their room.</summary>
    public long LargeBudget { get; init; } = 128 << 20;

    public void Begin(long now)
    {
        Now = now;
        _changes.Clear();
        _sections.Clear();
        _touched.Clear();
        _positions.Clear();
        _ready.Clear();
        _submitted.Clear();
        _items.Clear();
        _marks.Clear();
        Labels.Begin();
        Array.Clear(_results, 0, _resultCount);
        _resultCount = 0;
        _sectionCount = 0;
        _bodyBytes = 0;
        _dispatched = 0;
        _losses = 0;
        _traced.Clear();
        LeftReady.Clear();
        Segment = null;
        State.Chunk = store.LastChunk + 1;
        _firstBatch = State.NextBatch;
    }

    /// <summary>Moves finished batches to the index, within this turn's commit.</summary>
    public void IndexFinished(int count)
    {
        var records = new List<FinishedRecord>(count);
        foreach (var batch in State.Finished)
        {
            if (records.Count == count)
                break;
            records.Add(new FinishedRecord(
                batch.Key, batch.Function, batch.Endpoint.Number, batch.Group.Name, batch.Count, batch.Failed, batch.Content, batch.SubmitChunk, batch.SubmitOffset, batch.SubmitBytes, batch.ResultChunks));
        }

        Segment = FinishedSegment.Build(store.Index.Newest + 1, Now, records);
        State.Forget(count);
        State.Indexed = Segment.Id;
        _changes.Byte((byte)ChangeKind.Indexed);
        _changes.Varint(count);
    }

    public Batch Submit(SubmissionRecord record)
    {
        _scratch.Clear();
        SubmissionCodec.WriteHead(_scratch, record);
        var bytes = _scratch.Length + record.Bodies.Length;
        _changes.Byte((byte)ChangeKind.Submitted);
        _changes.Varint(bytes);
        var offset = ChunkHeader.Size + _changes.Length;
        _changes.Bytes(_scratch.Written);
        _changes.Bytes(record.Bodies.Span);
        // An endpoint that is away reads large bodies from their files when it comes back.
        if (!record.Came.IsEmpty && (State.Endpoint(record.Endpoint).Link is null || State.LargeResidentBytes + record.Came.Length > LargeBudget))
            record = record with { Came = default, CameAt = null };
        var batch = State.Add(record, State.Chunk, offset, bytes, State.ResidentBytes + record.Bodies.Length <= BodyBudget);
        batch.Committed = Now;
        _submitted.Add(batch);
        MakeReady(batch.Endpoint);
        return batch;
    }

    public void Link(EndpointState endpoint, string instance)
    {
        Mark("link");
        endpoint.Epoch++;
        endpoint.Instance = instance;
        _changes.Byte((byte)ChangeKind.Linked);
        _changes.Varint(endpoint.Number);
        _changes.Varint(endpoint.Epoch);
        _changes.Text(instance);
    }

    public void DeleteEndpoint(EndpointState endpoint)
    {
        Mark("end-endpoint");
        endpoint.Deleted = true;
        _changes.Byte((byte)ChangeKind.EndpointDeleted);
        _changes.Varint(endpoint.Number);
    }

    public void Requeue(Batch batch, int index, ushort attempt)
    {
        State.Requeue(batch, index, attempt);
        Name(ChangeKind.Requeued, batch);
        _changes.Varint(index);
        _changes.Varint(attempt);
        MakeReady(batch.Endpoint);
    }

    /// <summary>A task that was queued here turns out to be at the endpoint.</summary>
    public void Adopt(Batch batch, int index) => MarkDispatched(batch, index, 1);

    public void AskCancel(Batch batch, int index)
    {
        batch.Slots[index].CancelAsked = true;
        var asked = batch.Endpoint.CancelsAsked;
        if (asked.Count >= 1024 && asked.Count % 1024 == 0)
            asked.RemoveAll(static one => one.Index >= one.Batch.Slots.Length || one.Batch.Slots[one.Index].State == SlotState.Done);
        asked.Add((batch, index));
        Name(ChangeKind.CancelAsked, batch);
        _changes.Varint(index);
    }

    /// <summary>Ends a task with what the endpoint said.</summary>
    public void Finish(Batch batch, in TaskResult result)
    {
        if (_resultCount == _results.Length)
            Array.Resize(ref _results, _results.Length * 2);
        var at = _resultCount++;
        ref var row = ref _results[at];
        row = result;
        row.Next = -1;
        row.Sent = batch.Slots[result.Index].Sent;
        if (batch.TurnFirst < 0)
        {
            batch.TurnFirst = at;
            _touched.Add(batch);
        }
        else
        {
            _results[batch.TurnLast].Next = at;
        }

        batch.TurnLast = at;
        _bodyBytes += result.Body.Length;
        State.MarkDone(batch, result.Index, result.Outcome);
        if (Traces?.Takes(batch.Key.Id, result.Index) == true)
            _traced.Add(TracedTask.Of(batch, row));
    }

    /// <summary>Ends a task with an outcome of the service's own.</summary>
    public void Finish(Batch batch, int index, TaskOutcome outcome, FailureBody failure)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(failure);
        ref readonly var slot = ref batch.Slots[index];
        Finish(batch, new TaskResult
        {
            Index = index,
            // In the queue it stands for the execution to come.
            Attempt = (ushort)(slot.State == SlotState.Queued ? slot.Attempt - 1 : slot.Attempt),
            Outcome = outcome,
            ContentType = ContentType.Json,
            ServiceBack = Now,
            Body = body,
            BodyBytes = body.Length,
        });
    }

    /// <summary>The endpoint says that an execution was lost: the task goes back to the queue, or ends when as many are lost as it may have.</summary>
    /// <param name="batch">Its batch.</param>
    /// <param name="lost">What is said of it.</param>
    /// <param name="cutOff">Its node's end ended it, which is none of the losses that a task may have; with one attempt allowed the task ends all the same, since it has run.</param>
    public void LoseAttempt(Batch batch, in TaskResult lost, bool cutOff = false)
    {
        var index = lost.Index;
        ref var slot = ref batch.Slots[index];
        if (EndCancelled(batch, index))
            return;
        if (cutOff && MayBeMissed(batch, slot))
        {
            Requeue(batch, index, (ushort)(slot.Attempt + 1));
            return;
        }

        slot.Losses++;
        _losses++;
        Name(ChangeKind.AttemptLost, batch);
        _changes.Varint(index);
        if (slot.Losses < batch.AllowedAttempts)
            Requeue(batch, index, (ushort)(slot.Attempt + 1));
        else
            EndLost(batch, lost);
    }

    /// <summary>A function failed: the task is tried again when its submission asks for that; false: that is its outcome.</summary>
    public bool Retry(Batch batch, in TaskResult failed)
    {
        ref readonly var slot = ref batch.Slots[failed.Index];
        if (batch.Retry is not { } policy || slot.Retries >= policy.Times || slot.CancelAsked || slot.State != SlotState.Dispatched || failed.Attempt != slot.Attempt)
            return false;
        if (!policy.Matches(failed.Outcome, failed.FailureType ?? (failed.Large.IsNone ? ReadFailure(failed.Body.Span[..failed.ValueBytes])?.Type : null)))
            return false;
        var pause = policy.Backoff(slot.Retries);
        if (batch.Deadline > 0 && Now + pause >= batch.Deadline)
            return false;
        var attempt = (ushort)(slot.Attempt + 1);
        State.Retry(batch, failed.Index, attempt, pause > 0 ? Now + pause : 0);
        Name(ChangeKind.Retried, batch);
        _changes.Varint(failed.Index);
        _changes.Varint(attempt);
        MakeReady(batch.Endpoint);
        return true;
    }

    /// <summary>
    /// A new process serves the endpoint and does not have the task. Most of such tasks never started, so this is not one of the losses that a
    /// task may have; but one may be what ends the endpoint each time, so it is bounded too. With one attempt allowed the task ends, since it may have run.
    /// </summary>
    public void MissAttempt(Batch batch, int index)
    {
        ref var slot = ref batch.Slots[index];
        if (EndCancelled(batch, index))
            return;
        if (MayBeMissed(batch, slot))
            Requeue(batch, index, (ushort)(slot.Attempt + 1));
        else
            EndLost(batch, index, "the endpoint was started anew and no longer had the task");
    }

    private static bool MayBeMissed(Batch batch, in TaskSlot slot) => batch.AllowedAttempts > 1 && slot.Attempt - slot.Retries < batch.AllowedAttempts * MissesPerAttempt;

    /// <summary>A fail point may want to know that the turn changes something of this kind.</summary>
    public void Mark(string kind)
    {
        if (FailPoints.Armed)
            _marks.Add(kind);
    }

    public void Send(LinkSession link, LinkItem item) => _items.Add((link, item));

    /// <summary>The endpoint may have work or credit: <see cref="Dispatch"/> looks at it.</summary>
    public void MakeReady(EndpointState endpoint)
    {
        if (endpoint.Ready)
            return;
        endpoint.Ready = true;
        _ready.Add(endpoint);
    }

    /// <summary>Gives queued tasks to links that have credit for them.</summary>
    public void Dispatch()
    {
        FollowDependencies();
        for (var index = 0; index < _ready.Count; index++)
        {
            var endpoint = _ready[index];
            endpoint.Ready = false;
            if (endpoint.Link is not { Reconciled: true } link)
                continue;
            while (link.HasCredit && endpoint.TryPeek(out var run))
            {
                if (Bytes >= Overfull * FullBytes || _resultCount >= Overfull * FullResults)
                {
                    LeftReady.Add(endpoint);
                    break;
                }

                if (run.Batch.Deadline > 0 && run.Batch.Deadline <= Now)
                    Expire(run.Batch);
                else
                    Assign(link, run);
                endpoint.Rotate();
            }
        }
    }

    /// <summary>Ends what waited for a task that failed, as far as this turn has room, and hands out what waited for those that did not.</summary>
    private void FollowDependencies()
    {
        // One at least: else they would not end while requests fill each turn.
        for (var first = true; (first || !IsFull) && State.Dependents.TryTakeBroken(out var batch); first = false)
        {
            var failure = new FailureBody("DependencyFailed", Words(batch.Broken!.Value));
            for (var index = 0; index < batch.Slots.Length; index++)
            {
                if (batch.Slots[index].State == SlotState.Queued)
                    Finish(batch, index, TaskOutcome.Rejected, failure);
            }
        }

        foreach (var endpoint in State.Dependents.Released)
            MakeReady(endpoint);
        State.Dependents.ForgetReleased();
    }

    private static string Words(Dependency failed) => failed.Index == Dependency.Whole
        ? $"Batch {failed}, after which the task was to run, has a task that did not end with a value."
        : $"Task {failed}, after which the task was to run, ended as {failed.Ended}.";

    /// <summary>Ends the queued tasks of a batch whose deadline has passed.</summary>
    public void Expire(Batch batch)
    {
        var late = DateTimeOffset.FromUnixTimeMilliseconds(batch.Deadline / 1000);
        for (var index = 0; index < batch.Slots.Length; index++)
        {
            if (batch.Slots[index].State == SlotState.Queued)
                Finish(batch, index, TaskOutcome.Expired, new FailureBody("Expired", $"The deadline {late:O} passed before the task started."));
        }
    }

    /// <summary>Encodes the results of the turn and writes everything as one chunk. False: there was nothing to write.</summary>
    /// <exception cref="StorageFullException">Nothing is durable; the state must be read anew.</exception>
    public bool Commit()
    {
        foreach (var batch in _touched)
            WriteSections(batch);
        if (_changes.Length == 0 && _sectionCount == 0 && Labels.IsEmpty)
            return false;
        if (_sectionCount > ResultPosition.MostSections)
            throw new InvalidOperationException($"chunk {State.Chunk} has {_sectionCount} result sections; a cursor counts up to {ResultPosition.MostSections}");
        var results = _sectionCount > 0;
        if (_submitted.Count > 0)
            FailPoints.Pass("before-commit-submit");
        if (results)
            FailPoints.Pass("before-commit-results");
        foreach (var kind in _marks)
            FailPoints.Pass($"before-commit-{kind}");
        store.Append(_changes.Written, _sections.Written, _sectionCount, Now, _firstBatch, Segment, Labels);
        if (_submitted.Count > 0)
            FailPoints.Pass("after-commit-submit");
        if (results)
            FailPoints.Pass("after-commit-results");
        foreach (var kind in _marks)
            FailPoints.Pass($"after-commit-{kind}");
        return true;
    }

    /// <summary>Makes the durable turn known to whoever reads beside the engine, and fills what links shall send.</summary>
    public void Publish(long committed, TurnEffects effects)
    {
        long submitted = 0;
        foreach (var batch in _submitted)
        {
            batch.Committed = committed;
            submitted += batch.Count;
        }

        Tally.Add(submitted, _dispatched, _losses);
        for (var row = 0; row < _resultCount; row++)
            Tally.AddDone(_results[row].Outcome);
        foreach (var traced in _traced)
            Traces!.Post(traced with { ResultCommitted = committed });
        foreach (var (group, position) in _positions)
        {
            group.AddResult(position);
            if (!group.Touched)
            {
                group.Touched = true;
                effects.Groups.Add(group);
            }
        }

        foreach (var group in effects.Groups)
            group.Touched = false;
        foreach (var (link, item) in _items)
        {
            link.Post(item);
            if (!effects.Links.Contains(link))
                effects.Links.Add(link);
        }
    }

    private bool EndCancelled(Batch batch, int index)
    {
        if (!batch.Slots[index].CancelAsked)
            return false;
        Finish(batch, index, TaskOutcome.Cancelled, new FailureBody("Cancelled", "The task was cancelled."));
        return true;
    }

    private void EndLost(Batch batch, int index, string reason) => Finish(batch, index, TaskOutcome.Lost, new FailureBody("Lost", Losses(batch, index, reason)));

    // Whoever saw the execution end knows how: that, and what it had written, is what its user wants to know.
    private void EndLost(Batch batch, in TaskResult lost)
    {
        var failure = new FailureBody("Lost", "its worker, manager or block ended");
        var output = ReadOnlyMemory<byte>.Empty;
        if (lost.Large.IsNone && lost.ValueBytes > 0 && lost.ContentType == ContentType.Json)
        {
            failure = ReadFailure(lost.Body.Span[..lost.ValueBytes]) ?? failure;
            output = lost.Body[lost.ValueBytes..];
        }

        var value = JsonSerializer.SerializeToUtf8Bytes(failure with { Message = Losses(batch, lost.Index, failure.Message) });
        byte[] body = [.. value, .. output.Span];
        var ended = lost;
        ended.Outcome = TaskOutcome.Lost;
        ended.ContentType = ContentType.Json;
        ended.ServiceBack = Now;
        ended.Large = default;
        ended.Body = body;
        ended.BodyBytes = body.Length;
        if (output.IsEmpty)
            (ended.StdoutBytes, ended.StderrBytes) = (0, 0);
        Finish(batch, ended);
    }

    private static string Losses(Batch batch, int index, string reason)
    {
        ref readonly var slot = ref batch.Slots[index];
        return $"The task was handed out {slot.Attempt} times, {slot.Losses} executions are known to be lost, {batch.AllowedAttempts} may be (max_attempts). The last time {reason}.";
    }

    /// <summary>What a failure says; null when it is not readable as one.</summary>
    internal static FailureBody? ReadFailure(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize<FailureBody>(json) is { Message: not null, Type: not null } failure ? failure : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void Assign(LinkSession link, Run run)
    {
        var batch = run.Batch;
        var count = 0;
        while (run.From + count < run.To && batch.Slots[run.From + count].IsWaiting && link.TrySpend(FrameHeader.Size + batch.BytesOf(run.From + count)))
            count++;
        if (count == 0)
            return;
        var record = batch.Record;
        MarkDispatched(batch, run.From, count);
        if (batch.Queued == 0)
            State.LetGo(batch);
        _items.Add((link, LinkItem.Tasks(new Assignment(batch, batch.Slots, record, run.From, count))));
    }

    private void MarkDispatched(Batch batch, int from, int count)
    {
        State.MarkDispatched(batch, from, count);
        _dispatched += count;
        Name(ChangeKind.Dispatched, batch);
        _changes.Varint(from);
        _changes.Varint(count);
    }

    private void Name(ChangeKind kind, Batch batch)
    {
        _changes.Byte((byte)kind);
        _changes.Zigzag(batch.Number - _firstBatch);
    }

    private void WriteSections(Batch batch)
    {
        var first = batch.TurnFirst;
        while (first >= 0)
        {
            var last = first;
            var count = 1;
            long bytes = _results[first].BodyBytes;
            while (_results[last].Next is >= 0 and var next && bytes + _results[next].BodyBytes <= SectionBytes)
            {
                bytes += _results[next].BodyBytes;
                last = next;
                count++;
            }

            var rest = _results[last].Next;
            _results[last].Next = -1;
            _positions.Add((batch.Group, new ResultPosition(State.Chunk, _sectionCount, _sections.Length)));
            ResultSectionWriter.Write(_sections, batch.Key, batch.Number, batch.Group.Number, batch.Committed, Now, _results, first, count);
            _sectionCount++;
            first = rest;
        }

        batch.TurnFirst = batch.TurnLast = -1;
        if (batch.ResultChunks.Count == 0 || batch.ResultChunks[^1] != State.Chunk)
            batch.ResultChunks.Add(State.Chunk);
        batch.Group.LastChunk = State.Chunk;
        if (batch.Finished)
            State.Finish(batch);
    }
}
