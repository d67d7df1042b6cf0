using System.Runtime.CompilerServices;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Cluster;

/// <summary>The service's API as its contract says, without the SDK: a test sees every reply and every refusal as it is.</summary>
public sealed class ServiceApi : IDisposable
{
    private readonly GrpcChannel _channel;

    public ServiceApi(string address, string token)
    {
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, InitialHttp2StreamWindowSize = 16 * 1024 * 1024 },
            MaxReceiveMessageSize = 64 * 1024 * 1024,
            MaxSendMessageSize = 64 * 1024 * 1024,
            DisposeHttpClient = true,
        });
        Headers = new Metadata { { "authorization", $"Bearer {token}" } };
        Functions = new Functions.FunctionsClient(_channel);
        Containers = new Containers.ContainersClient(_channel);
        Endpoints = new Endpoints.EndpointsClient(_channel);
        Tasks = new Tasks.TasksClient(_channel);
        Link = new Link.LinkClient(_channel);
    }

    /// <summary>The headers of every call: the token.</summary>
    public Metadata Headers { get; }

    public Functions.FunctionsClient Functions { get; }

    public Containers.ContainersClient Containers { get; }

    public Endpoints.EndpointsClient Endpoints { get; }

    public Tasks.TasksClient Tasks { get; }

    public Link.LinkClient Link { get; }

    public static BatchId NewBatch() => BatchId.New(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    public static long NowMicroseconds() => (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) / 10;

    /// <summary>Registers Python source and gives the function's id.</summary>
    public async Task<string> RegisterAsync(string source, string entry, params string[] requires) => (await Functions.RegisterAsync(
        new RegisterFunctionRequest { Kind = FunctionKind.Python, Name = entry, Entry = entry, Code = ByteString.CopyFromUtf8(source), Requires = { requires } }, Headers)).FunctionId;

    /// <summary>A submission with JSON arguments.</summary>
    public static SubmitRequest Request(string function, string endpoint, string group, IEnumerable<string> arguments, TaskOptions? options = null, BatchId? batch = null)
    {
        var request = new SubmitRequest
        {
            BatchId = Bytes(batch ?? NewBatch()),
            FunctionId = function,
            EndpointId = endpoint,
            Group = group,
            ContentType = (uint)ContentType.Json,
            Options = options,
            ClientSent = NowMicroseconds(),
        };
        var bodies = new MemoryStream();
        foreach (var argument in arguments)
        {
            var bytes = System.Text.Encoding.UTF8.GetBytes(argument);
            request.Lengths.Add((uint)bytes.Length);
            bodies.Write(bytes);
        }

        request.Bodies = UnsafeByteOperations.UnsafeWrap(bodies.GetBuffer().AsMemory(0, (int)bodies.Length));
        return request;
    }

    /// <summary>Submits, and again while the service is away, until it was accepted.</summary>
    public async Task SubmitAsync(SubmitRequest request, TimeSpan? within = null)
    {
        RpcException? last = null;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    await Tasks.SubmitAsync(request, Headers, DateTime.UtcNow.AddSeconds(30));
                    return true;
                }
                catch (RpcException away) when (away.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal or StatusCode.Cancelled)
                {
                    last = away;
                    return false;
                }
            },
            $"batch {BatchId.Read(request.BatchId.Span)} is accepted",
            within,
            () => last?.Status.ToString() ?? "");
    }

    /// <summary>Outcomes of a group in the order of their commits, across restarts of the service, until <paramref name="count"/> have come.</summary>
    public async IAsyncEnumerable<TaskResult> ResultsAsync(
        string group, int count, ulong cursor = 0, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var seen = 0;
        while (seen < count)
        {
            using var call = Tasks.Results(new ResultsRequest { Group = group, Cursor = cursor, Follow = true }, Headers, cancellationToken: cancellation);
            while (seen < count)
            {
                ResultChunk chunk;
                try
                {
                    if (!await call.ResponseStream.MoveNext(cancellation))
                        break;
                    chunk = call.ResponseStream.Current;
                }
                catch (RpcException away) when (!cancellation.IsCancellationRequested
                    && away.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled or StatusCode.NotFound)
                {
                    // Not found: a group exists from its first accepted batch on.
                    await Task.Delay(20, cancellation);
                    break;
                }

                var row = 0u;
                foreach (var result in TaskResult.Decode(chunk))
                {
                    seen++;
                    yield return chunk.Large.Contains(row++) ? result with { Value = await ValueAsync(result.Task, cancellation) } : result;
                }

                cursor = chunk.Cursor;
            }
        }
    }

    /// <summary>A value that is too large for a message.</summary>
    public async Task<byte[]> ValueAsync(TaskId task, CancellationToken cancellation = default)
    {
        using var call = Tasks.Value(new ValueRequest { TaskId = task.ToString() }, Headers, cancellationToken: cancellation);
        var value = new MemoryStream();
        while (await call.ResponseStream.MoveNext(cancellation))
            call.ResponseStream.Current.Data.WriteTo(value);
        return value.ToArray();
    }

    /// <summary>All outcomes of a group of <paramref name="count"/> tasks.</summary>
    /// <exception cref="InvalidDataException">A task had two.</exception>
    /// <exception cref="TimeoutException">Not all came in time.</exception>
    public async Task<Dictionary<TaskId, TaskResult>> WaitAsync(string group, int count, TimeSpan? within = null)
    {
        var limit = within ?? Eventually.Patience;
        using var cancellation = new CancellationTokenSource(limit);
        var results = new Dictionary<TaskId, TaskResult>(count);
        try
        {
            await foreach (var result in ResultsAsync(group, count, 0, cancellation.Token))
            {
                // The chunk's memory belongs to the message, which the dictionary keeps alive.
                if (!results.TryAdd(result.Task, result))
                    throw new InvalidDataException($"task {result.Task} has two outcomes: {results[result.Task].Outcome} and {result.Outcome}");
            }
        }
        catch (Exception end) when (cancellation.IsCancellationRequested && end is OperationCanceledException or RpcException)
        {
            throw new TimeoutException($"{results.Count} of {count} outcomes of group {group} came within {limit.TotalSeconds:0} s; the service says {await CountsAsync(group)}", end);
        }

        return results;
    }

    /// <summary>Every task of a group as the service knows it.</summary>
    public async Task<List<TaskInfo>> ListAsync(string group)
    {
        var tasks = new List<TaskInfo>();
        var request = new ListTasksRequest { Group = group, Limit = 10_000 };
        do
        {
            var reply = await Tasks.ListAsync(request, Headers);
            tasks.AddRange(reply.Tasks);
            request.After = reply.Next;
        }
        while (request.After.Length > 0);
        return tasks;
    }

    public async Task<GroupInfo> GroupAsync(string group) => await Tasks.GetGroupAsync(new GetGroupRequest { Group = group }, Headers);

    public async Task<EndpointInfo> EndpointAsync(string endpoint) => await Endpoints.GetAsync(new GetEndpointRequest { Endpoint = endpoint }, Headers);

    public static ByteString Bytes(BatchId batch)
    {
        var bytes = new byte[BatchId.Size];
        batch.Write(bytes);
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    public void Dispose() => _channel.Dispose();

    private async Task<string> CountsAsync(string group)
    {
        try
        {
            return (await GroupAsync(group)).ToString();
        }
        catch (RpcException away)
        {
            return away.Status.ToString();
        }
    }
}
