using FuncX.Contracts.V1;
using Grpc.Core;

namespace FuncX.Tests.Client.Fake;

public sealed class FakeTasks(FakeState state) : Tasks.TasksBase
{
    public override async Task<SubmitReply> Submit(SubmitRequest request, ServerCallContext context)
    {
        if (state.SubmissionArrives is { } arrives)
            await arrives(request, context.CancellationToken);
        var status = state.Submit(request, out var already);
        return status.StatusCode == StatusCode.OK ? new SubmitReply { BatchIds = request.BatchId, Already = already } : throw new RpcException(status);
    }

    public override async Task SubmitStream(IAsyncStreamReader<SubmitRequest> requestStream, IServerStreamWriter<SubmitReply> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(state.StreamsEnd, context.CancellationToken);
        while (await requestStream.MoveNext(end.Token))
        {
            var request = requestStream.Current;
            if (state.SubmissionArrives is { } arrives)
                await arrives(request, end.Token);
            var status = state.Submit(request, out var already);
            if (state.ForgetReplies > 0)
            {
                state.ForgetReplies--;
                throw new RpcException(new Status(StatusCode.Unavailable, "the service restarts"));
            }

            await responseStream.WriteAsync(new SubmitReply { BatchIds = request.BatchId, Already = already, ErrorCode = (int)status.StatusCode, ErrorMessage = status.Detail });
        }
    }

    public override async Task Results(ResultsRequest request, IServerStreamWriter<ResultChunk> responseStream, ServerCallContext context)
    {
        try
        {
            await SendResultsAsync(request, responseStream, context);
        }
        catch (Exception problem) when (problem is OperationCanceledException
            || (problem is not RpcException && (context.CancellationToken.IsCancellationRequested || state.StreamsEnd.IsCancellationRequested)))
        {
            // As the real service does: a stream that is cut anywhere is not an unknown error.
            throw new RpcException(new Status(StatusCode.Unavailable, "the service stops"));
        }
    }

    private async Task SendResultsAsync(ResultsRequest request, IServerStreamWriter<ResultChunk> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(state.StreamsEnd, state.ResultsEnd, context.CancellationToken);
        state.ResultStreams++;
        if (state.ResultStreamOpens is { } opens)
            await opens();
        await context.WriteResponseHeadersAsync([]);
        var cursor = request.Cursor;
        var sent = 0;
        while (true)
        {
            var (chunks, more) = state.Read(request.Group, cursor);
            foreach (var chunk in chunks)
            {
                for (var time = 0; time < (state.RepeatChunks ? 2 : 1); time++)
                    await responseStream.WriteAsync(chunk, end.Token);
                cursor = chunk.Cursor;
                if (++sent == state.CutResultsAfter)
                    throw new RpcException(new Status(StatusCode.Unavailable, "the service restarts"));
            }

            if (!request.Follow && chunks.Count == 0 && !state.Group(request.Group).Exists(task => task.State != TaskState.Done))
                return;
            if (chunks.Count == 0)
                await more.WaitAsync(end.Token);
        }
    }

    public override Task<TaskInfo> Get(GetTaskRequest request, ServerCallContext context) =>
        Task.FromResult(state.Find(request.TaskId) ?? throw new RpcException(new Status(StatusCode.NotFound, $"no task {request.TaskId}")));

    public override Task<CancelReply> Cancel(CancelRequest request, ServerCallContext context)
    {
        if (request.TaskIds.FirstOrDefault(id => state.Find(id) is null) is { } unknown)
            throw new RpcException(new Status(StatusCode.NotFound, $"task '{unknown}' was not found"));
        lock (state.CancelRequests)
        {
            state.CancelRequests.Add(request.TaskIds.Count);
            state.Cancelled.AddRange(request.TaskIds);
        }

        if (request.Group.Length > 0)
            state.Cancelled.Add(request.Group);
        return Task.FromResult(new CancelReply { Cancelled = request.TaskIds.Count });
    }

    public override Task<GroupInfo> GetGroup(GetGroupRequest request, ServerCallContext context)
    {
        var tasks = state.Group(request.Group);
        if (tasks.Count == 0)
            throw new RpcException(new Status(StatusCode.NotFound, $"no group {request.Group}"));
        return Task.FromResult(Info(request.Group));
    }

    public override Task<ListGroupsReply> ListGroups(ListGroupsRequest request, ServerCallContext context)
    {
        lock (state.GroupLists)
            state.GroupLists.Add(request.Clone());
        var found = state.Group("").Select(static task => task.Group).Distinct().Order(StringComparer.Ordinal).Select(Info)
            .Where(group => group.Group.StartsWith(request.Prefix, StringComparison.Ordinal) && string.CompareOrdinal(group.Group, request.After) > 0)
            .Where(group => !request.Unfinished || group.Done < group.Tasks)
            .Where(group => request.Labels.All(label => label.Split('=') is [var key, var value] ? group.Labels.GetValueOrDefault(key) == value : group.Labels.ContainsKey(label)))
            .ToList();
        var page = Math.Min(request.Limit, state.GroupsPerPage);
        var reply = new ListGroupsReply { Next = found.Count > page && !request.Recent ? found[page - 1].Group : "" };
        reply.Groups.AddRange(found.Take(page));
        return Task.FromResult(reply);
    }

    public override Task<GroupInfo> SetGroupLabels(SetGroupLabelsRequest request, ServerCallContext context)
    {
        if (state.Group(request.Group).Count == 0)
            throw new RpcException(new Status(StatusCode.NotFound, $"no group {request.Group}"));
        state.Label(request.Group, request.Set, request.Remove);
        return Task.FromResult(Info(request.Group));
    }

    private GroupInfo Info(string name)
    {
        var tasks = state.Group(name);
        var info = new GroupInfo
        {
            Group = name,
            Tasks = tasks.Count,
            Queued = tasks.Count(task => task.State == TaskState.Queued),
            Done = tasks.Count(task => task.State == TaskState.Done),
            Failed = tasks.Count(task => task.State == TaskState.Done && task.Outcome != Outcome.Value),
            LastActive = 1_700_000_000_000_000,
        };
        info.Labels.Add(state.LabelsOf(name));
        return info;
    }

    public override Task<ListTasksReply> List(ListTasksRequest request, ServerCallContext context)
    {
        if (request.Group.Length == 0)
            throw new RpcException(new Status(StatusCode.InvalidArgument, "group has 0 characters; 1 to 64 are right"));
        var reply = new ListTasksReply();
        reply.Tasks.AddRange(state.Group(request.Group));
        return Task.FromResult(reply);
    }
}
