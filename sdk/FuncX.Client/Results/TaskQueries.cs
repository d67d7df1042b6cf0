using System.Runtime.CompilerServices;
using FuncX.Client.Connection;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Grpc.Core;

namespace FuncX.Client.Results;

/// <summary>Tasks and groups by id, also those of another program of the same user. Errors are <see cref="FuncXException"/>.</summary>
public sealed class TaskQueries
{
    private readonly ServiceConnection _service;

    private readonly ValueReader _values;

    internal TaskQueries(ServiceConnection service) => (_service, _values) = (service, new ValueReader(service));

    /// <summary>One task with its outcome, output and the time of each hop. A value of more than 16 MiB is not in it: see <see cref="ReadValueAsync"/>.</summary>
    /// <param name="withCall">What was submitted, instead of the value and the output.</param>
    public Task<TaskInfo> GetAsync(TaskId task, bool withCall = false, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Tasks.GetAsync(new GetTaskRequest { TaskId = task.ToString(), WithCall = withCall }, options), $"Task {task}", cancellation);

    /// <summary>Writes a task's value as it is to a stream, however large; gives its bytes.</summary>
    public Task<long> ReadValueAsync(TaskId task, Stream destination, CancellationToken cancellation = default) =>
        _values.ReadAsync(task, piece => destination.WriteAsync(piece, cancellation), cancellation);

    /// <summary>Counts of a group.</summary>
    public Task<GroupInfo> GetGroupAsync(string group, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Tasks.GetGroupAsync(new GetGroupRequest { Group = group }, options), $"Group {group}", cancellation);

    /// <summary>Your groups, by name: those with unfinished tasks, and those that have ended until their results expire.</summary>
    /// <param name="labels">KEY or KEY=VALUE; a group must have all of them.</param>
    /// <param name="prefix">What the name begins with.</param>
    /// <param name="unfinished">Only groups with tasks that have not ended.</param>
    public async IAsyncEnumerable<GroupInfo> ListGroupsAsync(
        IEnumerable<string>? labels = null, string prefix = "", bool unfinished = false, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var request = new ListGroupsRequest { Labels = { labels ?? [] }, Prefix = prefix, Unfinished = unfinished, Limit = 1_000 };
        do
        {
            var reply = await _service.CallAsync(options => _service.Tasks.ListGroupsAsync(request, options), "Listing groups", cancellation);
            foreach (var group in reply.Groups)
                yield return group;
            request.After = reply.Next;
        }
        while (request.After.Length > 0);
    }

    /// <summary>The groups that were active last, the last first.</summary>
    /// <param name="most">1 to 1,000.</param>
    /// <param name="unfinished">Only groups with tasks that have not ended.</param>
    public async Task<IReadOnlyList<GroupInfo>> ListRecentGroupsAsync(int most, bool unfinished = false, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        var request = new ListGroupsRequest { Unfinished = unfinished, Limit = most, Recent = true };
        return (await _service.CallAsync(options => _service.Tasks.ListGroupsAsync(request, options), "Listing groups", cancellation)).Groups;
    }

    /// <summary>Sets and removes labels of a group; gives it as it is then.</summary>
    /// <param name="set">Beside those that it has; a key that it has gets the new value.</param>
    /// <param name="remove">Keys; one that it does not have is no mistake.</param>
    public Task<GroupInfo> SetGroupLabelsAsync(
        string group, IReadOnlyDictionary<string, string>? set = null, IEnumerable<string>? remove = null, CancellationToken cancellation = default)
    {
        var request = new SetGroupLabelsRequest { Group = group, Remove = { remove ?? [] } };
        request.Set.Add((set ?? System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty).ToDictionary());
        return _service.CallAsync(options => _service.Tasks.SetGroupLabelsAsync(request, options), $"Labels of group {group}", cancellation);
    }

    /// <summary>Tasks of a group, without values.</summary>
    public async IAsyncEnumerable<TaskInfo> ListAsync(
        string group, TaskState state = TaskState.Unspecified, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var request = new ListTasksRequest { Group = group, State = state, Limit = 1_000 };
        do
        {
            var reply = await _service.CallAsync(options => _service.Tasks.ListAsync(request, options), "Listing tasks", cancellation);
            foreach (var task in reply.Tasks)
                yield return task;
            request.After = reply.Next;
        }
        while (request.After.Length > 0);
    }

    /// <summary>Cancels tasks that have not ended; gives how many were still alive. One that ends first keeps its outcome.</summary>
    public async Task<long> CancelAsync(IEnumerable<TaskId> tasks, CancellationToken cancellation = default)
    {
        var request = new CancelRequest();
        foreach (var task in tasks)
            request.TaskIds.Add(task.ToString());
        var reply = await _service.CallAsync(options => _service.Tasks.CancelAsync(request, options), $"Cancelling {request.TaskIds.Count} task(s)", cancellation);
        return reply.Cancelled;
    }

    /// <summary>Cancels every task of a group that has not ended; gives how many were still alive.</summary>
    public async Task<long> CancelGroupAsync(string group, CancellationToken cancellation = default)
    {
        var reply = await _service.CallAsync(
            options => _service.Tasks.CancelAsync(new CancelRequest { Group = group }, options), $"Cancelling group {group}", cancellation);
        return reply.Cancelled;
    }

    /// <summary>
    /// The outcomes of a group in the order they were committed, until all tasks known so far have ended; reconnects by itself. To go on later, pass a
    /// <see cref="TaskResult.Cursor"/> of the last result that was taken. Nothing is left out then, but results of the same message come again unless it was the
    /// last of them.
    /// </summary>
    /// <param name="follow">Go on for ever.</param>
    public async IAsyncEnumerable<TaskResult> ResultsAsync(
        string group, ulong cursor = 0, bool follow = false, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        while (true)
        {
            var reader = await OpenAsync(group, cursor, follow, cancellation);
            using var call = reader.Call;
            var chunk = reader.First;
            while (chunk is not null)
            {
                if (chunk.Cursor > cursor)
                {
                    List<LargeRow> large = [];
                    var rest = LargeRow.Split(chunk, large);
                    foreach (var result in Unpack(rest, cursor, isLast: large.Count == 0))
                        yield return result;
                    for (var row = 0; row < large.Count; row++)
                    {
                        await _values.ReadAsync(large[row].Task, large[row].MakeRoom(), cancellation);
                        yield return Unpack(large[row].Chunk, cursor, isLast: row == large.Count - 1)[0];
                    }

                    cursor = chunk.Cursor;
                }

                (chunk, var broken) = await NextAsync(call, group, cancellation);
                if (broken)
                    break;
                if (chunk is null)
                    yield break;
            }

            if (reader.First is null)
                yield break;
        }
    }

    /// <summary>The results of a message. Whoever stops in the middle of it must read it again, so all but the last say <paramref name="before"/>.</summary>
    private static List<TaskResult> Unpack(ResultChunk chunk, ulong before, bool isLast)
    {
        var results = new List<TaskResult>(chunk.Index.Count);
        var reader = new ResultChunkReader(chunk);
        while (reader.NextBatch())
        {
            while (reader.MoveNext())
            {
                results.Add(new TaskResult(
                    new TaskId(reader.Batch, reader.Index), reader.Outcome, reader.ContentType, reader.Value, reader.StandardOutput, reader.StandardError, reader.Code, before));
            }
        }

        if (isLast && results.Count > 0)
            results[^1] = results[^1] with { Cursor = chunk.Cursor };
        return results;
    }

    /// <summary>Opens the stream and reads its first message, as often as it takes.</summary>
    private async Task<(AsyncServerStreamingCall<ResultChunk> Call, ResultChunk? First)> OpenAsync(string group, ulong cursor, bool follow, CancellationToken cancellation)
    {
        try
        {
            return await _service.Retry.RunAsync(
                async (outage, token) =>
                {
                    var call = _service.BulkTasks.Results(new ResultsRequest { Group = group, Cursor = cursor, Follow = follow }, _service.Options(cancellation));
                    try
                    {
                        await call.ResponseHeadersAsync;
                        _service.Retry.Reached();
                        outage.Opened();
                        var first = await call.ResponseStream.MoveNext(token) ? call.ResponseStream.Current : null;
                        if (first is null && follow)
                            throw new RpcException(new Status(StatusCode.Unavailable, "the service ended the stream of results"));
                        return (call, first);
                    }
                    catch (RpcException problem) when (outage.WasConnected && ServiceErrors.MayBeStopping(problem))
                    {
                        call.Dispose();
                        throw ServiceErrors.Lost(problem);
                    }
                    catch
                    {
                        call.Dispose();
                        throw;
                    }
                },
                cancellation);
        }
        catch (RpcException problem)
        {
            cancellation.ThrowIfCancellationRequested();
            throw ServiceErrors.Translate(problem, _service.Address, $"Reading the results of group {group}");
        }
    }

    private async Task<(ResultChunk? Chunk, bool Broken)> NextAsync(AsyncServerStreamingCall<ResultChunk> call, string group, CancellationToken cancellation)
    {
        try
        {
            return (await call.ResponseStream.MoveNext(cancellation) ? call.ResponseStream.Current : null, false);
        }
        catch (RpcException problem) when (!cancellation.IsCancellationRequested && ServiceErrors.MayBeStopping(problem))
        {
            return (null, true);
        }
        catch (RpcException problem)
        {
            cancellation.ThrowIfCancellationRequested();
            throw ServiceErrors.Translate(problem, _service.Address, $"Reading the results of group {group}");
        }
    }
}
