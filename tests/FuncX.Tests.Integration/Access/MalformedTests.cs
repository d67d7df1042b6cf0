using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using FuncX.Tests.Fuzz;
using FuncX.Tests.Integration.Harness;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Tests.Integration.Access;

/// <summary>Thousands of malformed requests, messages and frames, ten thousand and more with <c>--full</c>: each is refused in words, and the process they came to is the same and no larger afterwards.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class MalformedTests
{
    private const int AtOnce = 16;

    /// <summary>Room for what a process keeps once it has been busy: pooled buffers, threads, compiled code.</summary>
    private const long Growth = 32L << 20;

    private static readonly int s_requests = Scenario.Full ? 10_000 : 4_000;
    private static readonly int s_links = Scenario.Full ? 500 : 200;
    private static readonly int s_connections = Scenario.Full ? 1_000 : 400;

    /// <summary>Refusals in words. The others say that nobody thought of it (UNKNOWN, INTERNAL) or that the service is gone.</summary>
    private static readonly StatusCode[] Clear =
    [
        StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.FailedPrecondition, StatusCode.OutOfRange, StatusCode.ResourceExhausted,
        StatusCode.PermissionDenied, StatusCode.Unauthenticated, StatusCode.Unimplemented, StatusCode.AlreadyExists,
    ];

    /// <summary>One thing is wrong with each of these submissions; without it they are the one that is accepted.</summary>
    private static readonly (StatusCode Status, string Words, Action<SubmitRequest> Wrong)[] WrongSubmissions =
    [
        (StatusCode.InvalidArgument, "batch_id has 0 bytes; 12 are right", static request => request.BatchId = ByteString.Empty),
        (StatusCode.InvalidArgument, "batch_id has 11 bytes; 12 are right", static request => request.BatchId = ByteString.CopyFrom(request.BatchId.Span[1..])),
        (StatusCode.InvalidArgument, "batch_id has 13 bytes; 12 are right", static request => request.BatchId = ByteString.CopyFrom([.. request.BatchId.Span, 0])),
        (StatusCode.InvalidArgument, "group has 0 characters; 1 to 64 are right", static request => request.Group = ""),
        (StatusCode.InvalidArgument, "group has 65 characters; 1 to 64 are right", static request => request.Group = new string('g', 65)),
        (StatusCode.InvalidArgument, "content_type is 0; 1 (JSON), 2 (pickle) or 3 (octets) are right", static request => request.ContentType = 0),
        (StatusCode.InvalidArgument, "content_type is 4; 1 (JSON), 2 (pickle) or 3 (octets) are right", static request => request.ContentType = 4),
        (StatusCode.InvalidArgument, "has no calls; at least one length is needed", static request => request.Lengths.Clear()),
        (StatusCode.InvalidArgument, "the lengths sum to 6 and bodies has 5 bytes", static request => request.Bodies = ByteString.CopyFrom(request.Bodies.Span[1..])),
        (StatusCode.InvalidArgument, "the lengths sum to 7 and bodies has 6 bytes", static request => request.Lengths[1]++),
        (StatusCode.InvalidArgument, "the lengths sum to 4294967298 and bodies has 6 bytes", static request => request.Lengths[0] = uint.MaxValue),
        (StatusCode.InvalidArgument, "priority is 256; 0 to 255 are right", static request => request.Options.Priority = 256),
        (StatusCode.InvalidArgument, "deadline is -1; Unix microseconds or 0 are right", static request => request.Options.Deadline = -1),
        (StatusCode.InvalidArgument, "max_attempts is 1001; the limit most_attempts is 1000", static request => request.Options.MaxAttempts = 1001),
        (StatusCode.ResourceExhausted, "has 10001 calls; the limit batch_tasks is 10000", static request => request.Lengths.AddRange(Enumerable.Repeat(0u, 9_999))),
        (StatusCode.NotFound, "function '' was not found", static request => request.FunctionId = ""),
        (StatusCode.NotFound, "function 'nobody's' was not found", static request => request.FunctionId = "nobody's"),
        (StatusCode.NotFound, "endpoint '' was not found", static request => request.EndpointId = ""),
        (StatusCode.NotFound, "endpoint 'nobody's' was not found", static request => request.EndpointId = "nobody's"),
    ];

    private static readonly byte[] s_package = SmallPackage();

    [Fact]
    public Task Malformed_requests_are_refused_in_words_and_leave_the_service_as_it_was() => Scenario.RunAsync(async cluster =>
    {
        var random = new Random(Scenario.Seed);
        var clock = Stopwatch.StartNew();
        var process = cluster.Service.Identity;
        using var channel = GrpcChannel.ForAddress(cluster.Service.Address, new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true }, DisposeHttpClient = true });
        var seen = new SortedDictionary<StatusCode, int>();
        // The first tenth warms the process up; what follows must not make it grow.
        await SendAsync(cluster, channel, random, seen, s_requests / 10);
        var before = ProcessTable.PrivateBytes(process.Pid);
        await SendAsync(cluster, channel, random, seen, s_requests - (s_requests / 10));
        await BreakLinksAsync(cluster, random, seen);
        await StillWorksAsync(cluster);

        process.IsAlive.ShouldBeTrue(cluster.Service.Tail);
        var after = ProcessTable.PrivateBytes(process.Pid);
        Note("malformed-requests", clock, before, after, string.Join(", ", seen));
        seen.Keys.ShouldBeSubsetOf([StatusCode.OK, .. Clear]);
        seen.Where(static entry => entry.Key != StatusCode.OK).Sum(static entry => entry.Value).ShouldBeGreaterThanOrEqualTo(s_requests + s_links);
        (after - before).ShouldBeLessThan(Growth, $"the service grew from {before} to {after} bytes");
    });

    [Fact]
    public Task One_wrong_thing_in_a_submission_is_refused_in_words_of_its_own_and_no_part_of_it_is_taken() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        SubmitRequest Good() => ServiceApi.Request(function, cluster.EndpointId, "one-wrong-thing", ["[1]", "[2]"], new TaskOptions { Priority = 255, MaxAttempts = 1000, Deadline = 4_000_000_000_000_000 });
        foreach (var (status, words, wrong) in WrongSubmissions)
        {
            var request = Good();
            wrong(request);
            var refused = (await Should.ThrowAsync<RpcException>(() => cluster.Api.Tasks.SubmitAsync(request, cluster.Api.Headers).ResponseAsync)).Status;
            refused.StatusCode.ShouldBe(status, $"{words}: {refused.Detail}");
            refused.Detail.ShouldContain(words);

            // On a stream it is a reply, and the stream goes on.
            using var stream = cluster.Api.Tasks.SubmitStream(cluster.Api.Headers);
            await stream.RequestStream.WriteAsync(request);
            (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
            (stream.ResponseStream.Current.ErrorCode, stream.ResponseStream.Current.ErrorMessage).ShouldBe(((int)status, refused.Detail));
            await stream.RequestStream.CompleteAsync();
            (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeFalse();
        }

        (await Should.ThrowAsync<RpcException>(() => cluster.Api.GroupAsync("one-wrong-thing"))).StatusCode.ShouldBe(StatusCode.NotFound);
        await cluster.Api.Tasks.SubmitAsync(Good(), cluster.Api.Headers);
        (await cluster.Api.WaitAsync("one-wrong-thing", 2)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    });

    [Fact]
    public Task Malformed_frames_cost_their_connection_and_leave_the_endpoint_as_it_was() => Scenario.SharingAsync(async cluster =>
    {
        var clock = Stopwatch.StartNew();
        var process = cluster.Endpoint.Identity;
        using var mad = MadManager.Of(cluster);
        await BreakConnectionsAsync(mad, 0, s_connections / 10);
        var before = ProcessTable.PrivateBytes(process.Pid);
        await BreakConnectionsAsync(mad, s_connections / 10, s_connections - (s_connections / 10));
        await Parallel.ForEachAsync(Enumerable.Range(0, FuzzRun.Count(5_000) / MadManager.FramesOfConnection), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, _) => await mad.FuzzAsync(number));
        await StillWorksAsync(cluster);

        process.IsAlive.ShouldBeTrue(cluster.Endpoint.Tail);
        var after = ProcessTable.PrivateBytes(process.Pid);
        Note("malformed-frames", clock, before, after, $"{s_connections} connections");
        (after - before).ShouldBeLessThan(Growth, $"the endpoint grew from {before} to {after} bytes");
        // The link was not disturbed by what was said behind it.
        (await cluster.Api.EndpointAsync(cluster.EndpointId)).Epoch.ShouldBe(1u);
    });

    // Valid requests with bytes changed, cut off or prolonged, and plain noise, until so many were refused.
    private static async Task SendAsync(LocalCluster cluster, GrpcChannel channel, Random random, SortedDictionary<StatusCode, int> seen, int refusals)
    {
        var invoker = channel.CreateCallInvoker();
        var raw = Marshallers.Create(static (byte[] bytes) => bytes, static bytes => bytes);
        var valid = await ValidRequestsAsync(cluster);
        var refused = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, refusals * 3), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (_, _) =>
        {
            if (Volatile.Read(ref refused) >= refusals)
                return;
            byte[] body;
            string[] names;
            lock (random)
            {
                var (method, good) = valid[random.Next(valid.Count)];
                names = method.Split('/');
                body = Mutate(random, good());
            }

            var code = StatusCode.OK;
            try
            {
                await invoker.AsyncUnaryCall(
                    new Method<byte[], byte[]>(MethodType.Unary, names[0], names[1], raw, raw), null, new CallOptions(cluster.Api.Headers, DateTime.UtcNow.AddSeconds(30)), body);
            }
            catch (RpcException answer)
            {
                code = answer.StatusCode;
                Interlocked.Increment(ref refused);
            }

            lock (seen)
                seen[code] = seen.GetValueOrDefault(code) + 1;
        });
    }

    // Each would be answered with OK as it is, but for those that name what is not there. Of a submission what was changed is all that is wrong: it has a batch id
    // of its own, and function and endpoint exist.
    private static async Task<List<(string Method, Func<byte[]> Body)>> ValidRequestsAsync(LocalCluster cluster)
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        return
        [
            ("funcx.v1.Functions/Register", static () => new RegisterFunctionRequest { Kind = FunctionKind.Python, Name = "f", Entry = "f", Code = ByteString.CopyFromUtf8("def f(): pass") }.ToByteArray()),
            ("funcx.v1.Functions/Register", static () => new RegisterFunctionRequest { Kind = FunctionKind.Command, Name = "c", Code = ByteString.CopyFromUtf8("""{"command": ["a", "{x}"], "environment": {"A": "{x}"}}""") }.ToByteArray()),
            ("funcx.v1.Functions/Register", static () => new RegisterFunctionRequest { Kind = FunctionKind.Dotnet, Name = "d", Entry = "Lab::Lab.Fits::Run", Code = ByteString.CopyFrom(s_package) }.ToByteArray()),
            ("funcx.v1.Functions/Get", () => new GetFunctionRequest { Function = function, IncludeCode = true }.ToByteArray()),
            ("funcx.v1.Functions/Delete", static () => new DeleteFunctionRequest { FunctionId = new string('0', 64) }.ToByteArray()),
            ("funcx.v1.Containers/Register", static () => new RegisterContainerRequest { Name = "c", Images = { ["docker"] = "lab/image:1" }, Environment = { ["A"] = "b" } }.ToByteArray()),
            ("funcx.v1.Containers/Delete", static () => new DeleteContainerRequest { ContainerId = new string('0', 64) }.ToByteArray()),
            ("funcx.v1.Endpoints/Get", () => new GetEndpointRequest { Endpoint = cluster.EndpointId }.ToByteArray()),
            ("funcx.v1.Tasks/Submit", () => ServiceApi.Request(function, cluster.EndpointId, "g", ["[1]", "[2]"]).ToByteArray()),
            ("funcx.v1.Tasks/Get", static () => new GetTaskRequest { TaskId = new TaskId(ServiceApi.NewBatch(), 1).ToString() }.ToByteArray()),
            ("funcx.v1.Tasks/List", static () => new ListTasksRequest { Group = "nobody's", Limit = 10 }.ToByteArray()),
            ("funcx.v1.Tasks/Cancel", static () => new CancelRequest { Group = "nobody's" }.ToByteArray()),
            ("funcx.v1.Tasks/GetGroup", static () => new GetGroupRequest { Group = "nobody's" }.ToByteArray()),
        ];
    }

    private static byte[] Mutate(Random random, byte[] good)
    {
        if (random.Next(3) == 0)
            return Noise(random, random.Next(1, 200));
        var bytes = good.ToArray();
        for (var changes = random.Next(1, 6); changes > 0; changes--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return random.Next(4) switch
        {
            0 => bytes[..random.Next(bytes.Length)],
            1 => [.. bytes, .. Noise(random, random.Next(1, 50))],
            _ => bytes,
        };
    }

    // An endpoint's own credential, then messages that cannot be.
    private static async Task BreakLinksAsync(LocalCluster cluster, Random random, SortedDictionary<StatusCode, int> seen)
    {
        var registered = await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "garbage" }, cluster.Api.Headers);
        using var endpoint = new ServiceApi(cluster.Service.Address, registered.Credential);
        for (var i = 0; i < s_links; i++)
        {
            using var link = endpoint.Link.Connect(endpoint.Headers, DateTime.UtcNow.AddSeconds(30));
            var code = StatusCode.OK;
            try
            {
                if (i % 4 != 0)
                {
                    await link.RequestStream.WriteAsync(new EndpointMessage
                    {
                        Hello = new EndpointHello { Version = "test", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = registered.EndpointId, Instance = $"{i}" },
                    });
                }

                if (i % 4 == 1)
                    await link.RequestStream.WriteAsync(new EndpointMessage { Inventory = new EndpointInventory { Entries = ByteString.CopyFrom(Noise(random, random.Next(1, 15))), Last = true } });
                else if (i % 4 == 2)
                    await link.RequestStream.WriteAsync(new EndpointMessage { Inventory = new EndpointInventory { Last = true } });
                await link.RequestStream.WriteAsync(new EndpointMessage { Results = new EndpointResults { Sequence = 1, Frames = ByteString.CopyFrom(Noise(random, random.Next(1, 500))) } });
            }
            catch (Exception ended) when (ended is RpcException or InvalidOperationException)
            {
                // Who writes while the service ends the call is told that it has ended (CANCELLED when it is ending just now), and not always how: who reads is.
            }

            try
            {
                while (await link.ResponseStream.MoveNext(CancellationToken.None))
                {
                }
            }
            catch (RpcException ended)
            {
                code = ended.StatusCode;
            }

            seen[code] = seen.GetValueOrDefault(code) + 1;
        }
    }

    private static async Task BreakConnectionsAsync(MadManager mad, int first, int count)
    {
        var random = new Random(Scenario.Seed + first);
        await Parallel.ForEachAsync(Enumerable.Range(first, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, _) =>
        {
            Random own;
            lock (random)
                own = new Random(random.Next());
            var closed = number % 8 == 0 ? await mad.WithoutTlsAsync(own) : await mad.BreakAsync(own, number);
            closed.ShouldBeTrue($"connection {number} was still open after a frame that cannot be (FUNCX_TESTS_SEED={Scenario.Seed})");
        });
    }

    private static void Note(string name, Stopwatch clock, long before, long after, string seen) => Scenario.Note(
        name,
        string.Create(
            CultureInfo.InvariantCulture,
            $"seed {Scenario.Seed} (FUNCX_TESTS_SEED={Scenario.Seed} repeats it), {clock.Elapsed.TotalSeconds:0.0} s, private memory {before >> 20} -> {after >> 20} MB: {seen}"));

    private static async Task StillWorksAsync(LocalCluster cluster)
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.SubmitRangeAsync(function, "still-works", 200);
        (await cluster.Api.WaitAsync("still-works", 200)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    }

    private static byte[] SmallPackage()
    {
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var file = archive.CreateEntry("Lab.dll").Open();
            file.Write("MZ"u8);
        }

        return bytes.ToArray();
    }

    private static byte[] Noise(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
