using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using FuncX.Tests.Fuzz;
using FuncX.Tests.Integration.Harness;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Tests.Integration.Access;

/// <summary>
/// Valid messages with something changed, several on each stream, for tasks and endpoints that exist: each stream is served or ends with a refusal in words, and what the service
/// wrote meanwhile it reads again after a kill. The messages follow from the seed but for the ids that a service makes.
/// </summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class FuzzedStreamsTests
{
    // A stream ends with its first message that is refused: what stands behind it is not read.
    private const int PerStream = 4;
    private const int PerLink = 8;
    private const int TasksOfBatch = 100;
    private const int LinksOfBatch = 10;
    private const int AtOnce = 8;

    /// <summary>Room for what a process keeps once it has been busy, the commits that it keeps in memory among it (64 MiB).</summary>
    private const long Growth = 128L << 20;

    private static readonly StatusCode[] s_clear =
    [
        StatusCode.OK, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.FailedPrecondition, StatusCode.OutOfRange, StatusCode.ResourceExhausted,
        StatusCode.PermissionDenied, StatusCode.Unauthenticated, StatusCode.AlreadyExists,
    ];

    private static readonly Marshaller<byte[]> s_raw = Marshallers.Create(static (byte[] bytes) => bytes, static bytes => bytes);

    [Fact]
    public Task Fuzzed_submissions_and_requests_for_results_are_answered_and_the_service_goes_on() => Scenario.RunAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.SubmitRangeAsync(function, "read", 300, 100);
        await cluster.Api.WaitAsync("read", 300);
        var results = new Mutation([new ResultsRequest { Group = "read" }.ToByteArray(), new ResultsRequest { Group = "read", Cursor = 1 }.ToByteArray()]);
        await FuzzAsync(cluster, "fuzzed-submissions", FuzzRun.Count(10_000), AtOnce, async (invoker, stream) =>
        {
            var random = FuzzRun.Of("submissions", stream);
            var messages = Enumerable.Range(0, PerStream).Select(_ => Submission(function, cluster.EndpointId, random)).ToList();
            return (messages, await StreamAsync(invoker, "funcx.v1.Tasks", "SubmitStream", cluster.Api.Headers, messages));
        });
        await FuzzAsync(cluster, "fuzzed-results", FuzzRun.Count(20_000), AtOnce, async (invoker, number) =>
        {
            var request = results.Next(FuzzRun.Of("results", number));
            return ([request], await ResultsAsync(invoker, cluster.Api.Headers, request));
        });
    });

    [Fact]
    public Task Fuzzed_links_of_an_endpoint_with_tasks_end_by_themselves_alone_and_leave_a_store_that_can_be_read() => Scenario.RunAsync(async cluster =>
    {
        var registered = await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "fuzzed" }, cluster.Api.Headers);
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        using var endpoint = new ServiceApi(cluster.Service.Address, registered.Credential);
        var batch = default(BatchId);
        var batches = 0;
        await FuzzAsync(cluster, "fuzzed-links", FuzzRun.Count(5_000), 1, async (invoker, number) =>
        {
            if (number % LinksOfBatch == 0)
            {
                batch = ServiceApi.NewBatch();
                batches++;
                await cluster.Api.SubmitAsync(ServiceApi.Request(function, registered.EndpointId, "linked", Enumerable.Range(0, TasksOfBatch).Select(static i => $"[{i}]"), null, batch));
            }

            var messages = Link(registered.EndpointId, batch, FuzzRun.Of("links", number));
            return (messages, await StreamAsync(invoker, "funcx.v1.Link", "Connect", endpoint.Headers, messages));
        });

        // What stands on a link that ends may come too late to count; what is acknowledged counts.
        await TellAsync(endpoint, registered.EndpointId, batch);

        // No task has two outcomes, and a kill changes none of them.
        var done = (int)(await cluster.Api.GroupAsync("linked")).Done;
        done.ShouldBeInRange(1, batches * TasksOfBatch);
        var before = await cluster.Api.WaitAsync("linked", done);
        await cluster.Service.KillAsync();
        await cluster.Service.StartAsync();
        await cluster.WaitOnlineAsync();
        var after = await cluster.Api.WaitAsync("linked", done);
        after.ToDictionary(static entry => entry.Key, static entry => (entry.Value.Outcome, entry.Value.Text)).ShouldBe(before.ToDictionary(static entry => entry.Key, static entry => (entry.Value.Outcome, entry.Value.Text)), ignoreOrder: true);
        (await cluster.Api.GroupAsync("linked")).Tasks.ShouldBe(batches * TasksOfBatch);
        await StillWorksAsync(cluster, "after-the-kill");
    });

    private static async Task FuzzAsync(LocalCluster cluster, string name, int streams, int atOnce, Func<CallInvoker, int, Task<(IReadOnlyList<byte[]> Messages, StatusCode Code)>> play)
    {
        var clock = Stopwatch.StartNew();
        var process = cluster.Service.Identity;
        using var channel = GrpcChannel.ForAddress(cluster.Service.Address, new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true }, DisposeHttpClient = true });
        var seen = new SortedDictionary<StatusCode, int>();
        var before = ProcessTable.PrivateBytes(process.Pid);
        await Parallel.ForEachAsync(Enumerable.Range(0, streams), new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (number, _) =>
        {
            var (messages, code) = await play(channel.CreateCallInvoker(), number);
            if (!s_clear.Contains(code) || !process.IsAlive)
                throw new InvalidOperationException($"{name}: stream {number} ended with {code} (FUNCX_TESTS_SEED={FuzzRun.Seed}); its messages:\n{string.Join('\n', messages.Select(static message => FuzzRun.Hex(message)))}");
            lock (seen)
                seen[code] = seen.GetValueOrDefault(code) + 1;
        });
        await StillWorksAsync(cluster, name);
        var after = ProcessTable.PrivateBytes(process.Pid);
        Scenario.Note(name, string.Create(CultureInfo.InvariantCulture, $"FUNCX_TESTS_SEED={FuzzRun.Seed}, {clock.Elapsed.TotalSeconds:0.0} s, {streams} streams, private memory {before >> 20} -> {after >> 20} MB: {string.Join(", ", seen)}"));
        process.IsAlive.ShouldBeTrue(cluster.Service.Tail);
        (after - before).ShouldBeLessThan(Growth);
        seen.Keys.ShouldContain(StatusCode.InvalidArgument);
    }

    private static async Task<StatusCode> StreamAsync(CallInvoker invoker, string service, string method, Metadata headers, IReadOnlyList<byte[]> messages)
    {
        using var call = invoker.AsyncDuplexStreamingCall(new Method<byte[], byte[]>(MethodType.DuplexStreaming, service, method, s_raw, s_raw), null, new CallOptions(headers, DateTime.UtcNow + Eventually.Patience));
        var reading = ReadAsync(call.ResponseStream);
        try
        {
            foreach (var message in messages)
                await call.RequestStream.WriteAsync(message);
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception ended) when (ended is RpcException or InvalidOperationException)
        {
            // The service has ended it: the answer says how.
        }

        return await reading;
    }

    private static async Task TellAsync(ServiceApi endpoint, string id, BatchId batch)
    {
        using var link = endpoint.Link.Connect(endpoint.Headers, DateTime.UtcNow + Eventually.Patience);
        var body = new byte[ResultPrefix.Size + 1];
        new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Json }.Write(body);
        body[^1] = (byte)'7';
        var result = new ArrayBufferWriter<byte>();
        FrameWriter.Write(result, new FrameHeader { Kind = FrameKind.Result, Task = new TaskId(batch, 0), Owner = 1 }, body);
        var results = new EndpointResults { Sequence = 1, Frames = ByteString.CopyFrom(result.WrittenSpan) };
        foreach (var message in (EndpointMessage[])[Hello(id), Inventory(), new EndpointMessage { Results = results }])
            await link.RequestStream.WriteAsync(message);
        do
            (await link.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue("the link ended without an acknowledgement");
        while (link.ResponseStream.Current.Ack is null);
        await link.RequestStream.CompleteAsync();
    }

    private static EndpointMessage Hello(string endpoint) => new() { Hello = new EndpointHello { Version = "fuzz", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = endpoint, Instance = "fuzz" } };

    private static EndpointMessage Inventory() => new() { Inventory = new EndpointInventory { Last = true } };

    private static async Task<StatusCode> ReadAsync(IAsyncStreamReader<byte[]> responses)
    {
        try
        {
            while (await responses.MoveNext(CancellationToken.None))
            {
            }

            return StatusCode.OK;
        }
        catch (RpcException answer)
        {
            return answer.StatusCode;
        }
    }

    // One that follows the group has no end of its own.
    private static async Task<StatusCode> ResultsAsync(CallInvoker invoker, Metadata headers, byte[] request)
    {
        using var call = invoker.AsyncServerStreamingCall(new Method<byte[], byte[]>(MethodType.ServerStreaming, "funcx.v1.Tasks", "Results", s_raw, s_raw), null, new CallOptions(headers, DateTime.UtcNow + Eventually.Patience), request);
        return Follows(request) ? StatusCode.OK : await ReadAsync(call.ResponseStream);
    }

    private static bool Follows(byte[] request)
    {
        try
        {
            return ResultsRequest.Parser.ParseFrom(request).Follow;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private static byte[] Submission(string function, string endpoint, Random random)
    {
        var batch = BatchId.Read(Mutation.Noise(random, BatchId.Size));
        var request = ServiceApi.Request(function, endpoint, "fuzzed", ["[1]", "[2]", $"[{random.Next()}]"], random.Next(2) == 0 ? null : new TaskOptions { Priority = 7, MaxAttempts = 2, WalltimeMs = 60_000, Deadline = 4_000_000_000_000_000 }, batch);
        // As it is told by the clock it would differ from run to run.
        request.ClientSent = 1_700_000_000_000_000;
        return new Mutation([request.ToByteArray()]).Next(random);
    }

    private static List<byte[]> Link(string endpoint, BatchId batch, Random random)
    {
        var hello = Hello(endpoint).ToByteArray();
        List<byte[]> messages =
        [
            random.Next(8) == 0 ? new Mutation([hello]).Next(random) : hello,
            Inventory().ToByteArray(),
            new EndpointMessage { Credit = new Credit { Tasks = 10_000, Bytes = 1 << 30 } }.ToByteArray(),
        ];
        for (var sequence = 1u; messages.Count < PerLink; sequence++)
        {
            var message = Message(batch, sequence, random).ToByteArray();
            messages.Add(random.Next(4) == 0 ? new Mutation([message]).Next(random) : message);
        }

        return messages;
    }

    // Right in its envelope, so that it comes to what reads the frames; those are changed.
    private static EndpointMessage Message(BatchId batch, uint sequence, Random random) => random.Next(10) switch
    {
        0 => new EndpointMessage { Credit = new Credit { Tasks = (ulong)random.NextInt64(), Bytes = (ulong)random.NextInt64() } },
        1 => new EndpointMessage { Status = new EndpointStatus { Managers = 1, Note = new string('n', random.Next(3_000)) } },
        2 => new EndpointMessage { Returned = new EndpointResults { Frames = ByteString.CopyFrom(new Mutation([Frame(FrameKind.Returned, batch, random, [])]).Next(random)) } },
        3 => new EndpointMessage { Inventory = new EndpointInventory { Entries = ByteString.CopyFrom(Mutation.Noise(random, 40)) } },
        _ => new EndpointMessage { Results = new EndpointResults { Sequence = sequence, Frames = ByteString.CopyFrom(random.Next(3) == 0 ? new Mutation([Results(batch, random)]).Next(random) : Results(batch, random)) } },
    };

    private static byte[] Results(BatchId batch, Random random)
    {
        var body = new byte[ResultPrefix.Size + 8];
        new ResultPrefix
        {
            Outcome = (TaskOutcome)random.Next(1, 10), ContentType = (ContentType)random.Next(0, 5), Code = (short)random.Next(-20, 20), StdoutBytes = random.Next(4), StderrBytes = random.Next(4),
            EndpointReceived = Time(random), EndpointSent = Time(random), ManagerReceived = Time(random), WorkerStarted = Time(random), WorkerEnded = Time(random), EndpointBack = Time(random),
        }.Write(body);
        return [.. Frame(FrameKind.Result, batch, random, body), .. Frame(FrameKind.Result, batch, random, body)];
    }

    private static long Time(Random random) => random.Next(4) switch
    {
        0 => 0,
        1 => random.NextInt64(long.MinValue, long.MaxValue),
        _ => 1_700_000_000_000_000 + random.Next(),
    };

    private static byte[] Frame(FrameKind kind, BatchId batch, Random random, ReadOnlySpan<byte> body)
    {
        uint[] indexes = [(uint)random.Next(TasksOfBatch), (uint)random.Next(TasksOfBatch), TasksOfBatch, int.MaxValue, uint.MaxValue, 0x80000000];
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.Write(output, new FrameHeader { Kind = kind, Task = new TaskId(batch, indexes[random.Next(random.Next(3) == 0 ? indexes.Length : 2)]), Attempt = (ushort)random.Next(4), Ticket = (uint)random.Next(), Owner = 1 }, body);
        return output.WrittenSpan.ToArray();
    }

    private static async Task StillWorksAsync(LocalCluster cluster, string name)
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.SubmitRangeAsync(function, $"still-works-{name}", 100);
        (await cluster.Api.WaitAsync($"still-works-{name}", 100)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    }
}
