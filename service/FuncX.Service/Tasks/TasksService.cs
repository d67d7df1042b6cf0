using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Limits;
using FuncX.Service.Storage;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>Calls and their outcomes over gRPC. Every batch, task and group is looked up by its owner: a foreign one answers like an unknown one.</summary>
public sealed partial class TasksService(TaskEngine engine, Submissions submissions, TaskReader tasks, GroupReader groups, ServiceLimits limits, ILogger<TasksService> log) : Contracts.V1.Tasks.TasksBase
{
    private const int MostPending = 1024;
    private const long MostPendingBytes = 64 << 20;
    private const int DefaultList = 100;
    private const int MostList = 10_000;
    private const int MostGroups = 1_000;
    private const int MostSelectors = LabelChanges.MostLabels;

    public override async Task<SubmitReply> Submit(SubmitRequest request, ServerCallContext context)
    {
        var outcome = await submissions.SubmitAsync(request, context.GetCaller().Owner, inline: true);
        FailPoints.Pass("before-reply-submit");
        if (FailPoints.Armed)
        {
            context.GetHttpContext().Response.OnCompleted(static () =>
            {
                FailPoints.Pass("after-reply-submit");
                return Task.CompletedTask;
            });
        }

        return outcome.Status == StatusCode.OK
            ? new SubmitReply { BatchIds = request.BatchId, Already = outcome.Already }
            : throw new RpcException(new Status(outcome.Status, outcome.Message));
    }

    public override async Task SubmitStream(IAsyncStreamReader<SubmitRequest> requestStream, IServerStreamWriter<SubmitReply> responseStream, ServerCallContext context)
    {
        var caller = context.GetCaller();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, caller.Revoked);
        var pending = new PendingSubmissions(MostPending, MostPendingBytes);
        var replies = new SubmitReplies(responseStream, pending);
        var writing = replies.RunAsync();
        try
        {
            var moving = requestStream.MoveNext(ending.Token);
            while (await moving)
            {
                var request = requestStream.Current;
                moving = requestStream.MoveNext(ending.Token);
                // With the next batch already there a turn of its own would only hold it up.
                var inline = !moving.IsCompleted;
                await pending.EnterAsync(request.Bodies.Length);
                replies.Expect();
                _ = AnswerAsync(request, inline);
            }
        }
        catch (Exception problem) when (problem is OperationCanceledException or IOException && caller.Revoked.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, caller.RevokedMessage));
        }
        finally
        {
            replies.ExpectNoMore();
            await writing;
        }

        async Task AnswerAsync(SubmitRequest request, bool inline)
        {
            SubmitOutcome outcome;
            try
            {
                outcome = await submissions.SubmitAsync(request, caller.Owner, inline, brief: true);
                FailPoints.Pass("before-reply-submit");
            }
            catch (Exception problem)
            {
                LogUnanswered(problem);
                outcome = SubmitOutcome.Refused(
                    StatusCode.Internal, "the service failed while it took the batch, and may have accepted it: send the same batch again to learn that. Its log has the cause.");
            }

            replies.Add(request.BatchId, outcome, request.Bodies.Length);
        }
    }

    public override async Task<TaskInfo> Get(GetTaskRequest request, ServerCallContext context)
    {
        var id = Parse(request.TaskId);
        var info = await tasks.GetAsync(context.GetCaller().Owner.Number, id, request.WithCall) ?? throw Unknown(request.TaskId);
        return TaskReader.IsExpired(info) ? throw Expired(request.TaskId) : info;
    }

    public override async Task<ListTasksReply> List(ListTasksRequest request, ServerCallContext context)
    {
        var limit = request.Limit == 0 ? DefaultList : request.Limit;
        if (limit is < 0 or > MostList)
            throw Invalid($"limit is {request.Limit}; 1 to {MostList} are right, 0 means {DefaultList}");
        if ((uint)request.State > (uint)TaskState.Done)
            throw Invalid($"state {(int)request.State} is unknown");
        CheckGroup(request.Group);
        try
        {
            return await tasks.ListAsync(context.GetCaller().Owner.Number, request.Group, request.State, limit, request.After);
        }
        catch (FormatException problem)
        {
            throw Invalid(problem.Message);
        }
    }

    public override async Task<CancelReply> Cancel(CancelRequest request, ServerCallContext context)
    {
        var owner = context.GetCaller().Owner.Number;
        var group = request.Group.Length == 0 ? null : request.Group;
        if (group is null == (request.TaskIds.Count == 0))
            throw Invalid("cancel wants either task_ids or a group");
        var ids = new List<TaskId>(request.TaskIds.Count);
        foreach (var text in request.TaskIds)
            ids.Add(Parse(text));
        if (group is not null && await tasks.GetGroupAsync(owner, group) is null)
            throw UnknownGroup(group);
        if (await FirstUnknownAsync(owner, ids) is { } unknown)
            throw Unknown(unknown.ToString());
        try
        {
            return new CancelReply { Cancelled = await engine.CancelAsync(owner, ids, group) };
        }
        catch (StorageFullException problem)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, problem.Message));
        }
    }

    public override async Task Results(ResultsRequest request, IServerStreamWriter<ResultChunk> responseStream, ServerCallContext context)
    {
        var caller = context.GetCaller();
        CheckGroup(request.Group);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, caller.Revoked);
        try
        {
            // A client tells a silent stream from a service that does not answer by them.
            await context.WriteResponseHeadersAsync([]);
            var stream = new ResultStream(engine, caller.Owner.Number, request.Group, responseStream);
            if (!await stream.RunAsync(request.Cursor, request.Follow, ending.Token))
                throw UnknownGroup(request.Group);
        }
        catch (Exception problem) when (problem is OperationCanceledException or IOException or InvalidOperationException && caller.Revoked.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, caller.RevokedMessage));
        }
        catch (CursorException problem)
        {
            throw new RpcException(new Status(StatusCode.OutOfRange, $"{problem.Message} Results are kept for {limits.ResultRetention} (limit result_retention)."));
        }
        catch (ChunkException problem)
        {
            throw new RpcException(new Status(StatusCode.DataLoss, $"results of group '{request.Group}' cannot be read: {problem.Message}"));
        }
    }

    public override async Task Value(ValueRequest request, IServerStreamWriter<ValuePiece> responseStream, ServerCallContext context)
    {
        var caller = context.GetCaller();
        var id = Parse(request.TaskId);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, caller.Revoked);
        try
        {
            var value = await tasks.FindValueAsync(caller.Owner.Number, id) ?? throw Unknown(request.TaskId);
            if (TaskReader.IsExpired(value.Info!))
                throw Expired(request.TaskId);
            if (value.Info!.State != TaskState.Done)
                throw new RpcException(new Status(StatusCode.FailedPrecondition, $"task '{request.TaskId}' has not ended yet"));
            if (request.Offset > (ulong)value.ValueBytes)
                throw new RpcException(new Status(StatusCode.OutOfRange, $"offset {request.Offset} lies behind the value of task '{request.TaskId}', which has {value.ValueBytes} bytes"));
            await ValueStream.SendAsync(engine.Store.Segments, value, (long)request.Offset, responseStream, ending.Token);
        }
        catch (Exception problem) when (problem is OperationCanceledException or IOException or InvalidOperationException && caller.Revoked.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, caller.RevokedMessage));
        }
        catch (ChunkException problem)
        {
            throw new RpcException(new Status(StatusCode.DataLoss, $"the value of task '{request.TaskId}' cannot be read: {problem.Message}"));
        }
    }

    public override async Task<GroupInfo> GetGroup(GetGroupRequest request, ServerCallContext context)
    {
        CheckGroup(request.Group);
        return await tasks.GetGroupAsync(context.GetCaller().Owner.Number, request.Group) ?? throw UnknownGroup(request.Group);
    }

    public override async Task<ListGroupsReply> ListGroups(ListGroupsRequest request, ServerCallContext context)
    {
        var limit = request.Limit == 0 ? DefaultList : request.Limit;
        if (limit is < 0 or > MostGroups)
            throw Invalid($"limit is {request.Limit}; 1 to {MostGroups} are right, 0 means {DefaultList}");
        if (request.Recent && request.After.Length > 0)
            throw Invalid("after goes on by name; with recent there is no next page");
        if (request.Labels.Count > MostSelectors)
            throw Invalid($"there are {request.Labels.Count} label selectors; up to {MostSelectors} are right");
        var selectors = new List<LabelSelector>(request.Labels.Count);
        foreach (var text in request.Labels)
            selectors.Add(LabelSelector.Parse(text, out var problem) ?? throw Invalid($"label selector '{Shorten(text)}': {problem}"));
        return await groups.ListAsync(context.GetCaller().Owner.Number, request, selectors, limit);
    }

    public override async Task<GroupInfo> SetGroupLabels(SetGroupLabelsRequest request, ServerCallContext context)
    {
        CheckGroup(request.Group);
        if (request.Set.Count == 0 && request.Remove.Count == 0)
            throw Invalid($"nothing is said of group '{request.Group}'; labels to set or keys to remove are wanted");
        if ((LabelRules.Check(request.Set) ?? request.Remove.Select(LabelRules.CheckKey).FirstOrDefault(static wrong => wrong is not null)) is { } wrong)
            throw Invalid(wrong);
        if (request.Remove.FirstOrDefault(request.Set.ContainsKey) is { } both)
            throw Invalid($"label '{both}' is to be set and removed");
        var owner = context.GetCaller().Owner.Number;
        try
        {
            var outcome = await engine.LabelAsync(owner, request.Group, request.Set, request.Remove);
            if (outcome.Status != StatusCode.OK)
                throw new RpcException(new Status(outcome.Status, outcome.Message));
        }
        catch (StorageFullException problem)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, problem.Message));
        }

        return await tasks.GetGroupAsync(owner, request.Group) ?? throw UnknownGroup(request.Group);
    }

    private async ValueTask<TaskId?> FirstUnknownAsync(int owner, List<TaskId> ids)
    {
        var absent = await engine.LookAsync(state => ids.FindAll(id => !(state.TryGet(new BatchKey(id.Batch, owner), out var batch) && id.Index < (uint)batch.Count)));
        foreach (var id in absent)
        {
            if (!(engine.Store.Index.Find(new BatchKey(id.Batch, owner)) is { } finished && id.Index < (uint)finished.Count))
                return id;
        }

        return null;
    }

    private static TaskId Parse(string text) => TaskId.TryParse(text, out var id)
        ? id
        : throw Invalid($"task id '{Shorten(text)}' is not one; 24 hexadecimal digits, a hyphen and an index are right");

    private static void CheckGroup(string group)
    {
        if (group.Length is 0 or > 64)
            throw Invalid($"group has {group.Length} characters; 1 to 64 are right");
    }

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "...";

    private static RpcException Invalid(string message) => new(new Status(StatusCode.InvalidArgument, message));

    private static RpcException Unknown(string task) => new(new Status(StatusCode.NotFound, $"task '{task}' was not found"));

    private RpcException Expired(string task) =>
        new(new Status(StatusCode.NotFound, $"the result of task '{task}' has expired; results are kept for {limits.ResultRetention} (limit result_retention)"));

    private static RpcException UnknownGroup(string group) => new(new Status(StatusCode.NotFound, $"group '{group}' was not found"));

    [LoggerMessage(Level = LogLevel.Error, Message = "a batch of a stream could not be taken")]
    private partial void LogUnanswered(Exception problem);
}
