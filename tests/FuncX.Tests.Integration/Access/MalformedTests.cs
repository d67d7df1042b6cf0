using System.Diagnostics;
using System.Globalization;
using FuncX.Tests.Integration.Harness;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Tests.Integration.Access;

/// <summary>Ten thousand and more malformed requests, messages and frames: each is refused in words, and the process they came to is the same and no larger afterwards.</summary>
public sealed class MalformedTests
{
    private const int Requests = 10_000;
    private const int Links = 500;
    private const int Connections = 1_000;
    private const int AtOnce = 16;

    /// <summary>Room for what a process keeps once it has been busy: pooled buffers, threads, compiled code.</summary>
    private const long Growth = 32L << 20;

    /// <summary>Refusals in words. The others say that nobody thought of it (UNKNOWN, INTERNAL) or that the service is gone.</summary>
    private static readonly StatusCode[] Clear =
    [
        StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.FailedPrecondition, StatusCode.OutOfRange, StatusCode.ResourceExhausted,
        StatusCode.PermissionDenied, StatusCode.Unauthenticated, StatusCode.Unimplemented, StatusCode.AlreadyExists,
    ];

    [Fact]
    public Task Malformed_requests_are_refused_in_words_and_leave_the_service_as_it_was() => Scenario.RunAsync(async cluster =>
    {
        var random = new Random(Scenario.Seed);
        var clock = Stopwatch.StartNew();
        var process = cluster.Service.Identity;
        using var channel = GrpcChannel.ForAddress(cluster.Service.Address, new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true }, DisposeHttpClient = true });
        var seen = new SortedDictionary<StatusCode, int>();
        // The first tenth warms the process up; what follows must not make it grow.
        await SendAsync(cluster, channel, random, seen, Requests / 10);
        var before = ProcessTable.PrivateBytes(process.Pid);
        await SendAsync(cluster, channel, random, seen, Requests - (Requests / 10));
        await BreakLinksAsync(cluster, random, seen);
        await StillWorksAsync(cluster);

        process.IsAlive.ShouldBeTrue(cluster.Service.Tail);
        var after = ProcessTable.PrivateBytes(process.Pid);
        Note("malformed-requests", clock, before, after, string.Join(", ", seen));
        seen.Keys.ShouldBeSubsetOf([StatusCode.OK, .. Clear]);
        seen.Where(static entry => entry.Key != StatusCode.OK).Sum(static entry => entry.Value).ShouldBeGreaterThanOrEqualTo(Requests + Links);
        (after - before).ShouldBeLessThan(Growth, $"the service grew from {before} to {after} bytes");
    });

    [Fact]
    public Task Malformed_frames_cost_their_connection_and_leave_the_endpoint_as_it_was() => Scenario.RunAsync(async cluster =>
    {
        var clock = Stopwatch.StartNew();
        var process = cluster.Endpoint.Identity;
        using var mad = MadManager.Of(cluster);
        await BreakConnectionsAsync(mad, 0, Connections / 10);
        var before = ProcessTable.PrivateBytes(process.Pid);
        await BreakConnectionsAsync(mad, Connections / 10, Connections - (Connections / 10));
        await StillWorksAsync(cluster);

        process.IsAlive.ShouldBeTrue(cluster.Endpoint.Tail);
        var after = ProcessTable.PrivateBytes(process.Pid);
        Note("malformed-frames", clock, before, after, $"{Connections} connections");
        (after - before).ShouldBeLessThan(Growth, $"the endpoint grew from {before} to {after} bytes");
        // The link was not disturbed by what was said behind it.
        (await cluster.Api.EndpointAsync(cluster.EndpointId)).Epoch.ShouldBe(1u);
    });

    // Valid requests with bytes changed, cut off or prolonged, and plain noise, until so many were refused.
    private static async Task SendAsync(LocalCluster cluster, GrpcChannel channel, Random random, SortedDictionary<StatusCode, int> seen, int refusals)
    {
        var invoker = channel.CreateCallInvoker();
        var raw = Marshallers.Create(static (byte[] bytes) => bytes, static bytes => bytes);
        var valid = ValidRequests(cluster);
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
                body = Mutate(random, good);
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

    private static List<(string Method, byte[] Body)> ValidRequests(LocalCluster cluster)
    {
        var function = new string('0', 64);
        return
        [
            ("funcx.v1.Functions/Register", new RegisterFunctionRequest { Kind = FunctionKind.Python, Name = "f", Entry = "f", Code = ByteString.CopyFromUtf8("def f(): pass") }.ToByteArray()),
            ("funcx.v1.Functions/Get", new GetFunctionRequest { Function = function, IncludeCode = true }.ToByteArray()),
            ("funcx.v1.Functions/Delete", new DeleteFunctionRequest { FunctionId = function }.ToByteArray()),
            ("funcx.v1.Endpoints/Get", new GetEndpointRequest { Endpoint = new string('0', 32) }.ToByteArray()),
            ("funcx.v1.Tasks/Submit", ServiceApi.Request(function, cluster.EndpointId, "g", ["[1]", "[2]"]).ToByteArray()),
            ("funcx.v1.Tasks/Get", new GetTaskRequest { TaskId = new TaskId(ServiceApi.NewBatch(), 1).ToString() }.ToByteArray()),
            ("funcx.v1.Tasks/List", new ListTasksRequest { Group = "nobody's", Limit = 10 }.ToByteArray()),
            ("funcx.v1.Tasks/Cancel", new CancelRequest { Group = "nobody's" }.ToByteArray()),
            ("funcx.v1.Tasks/GetGroup", new GetGroupRequest { Group = "nobody's" }.ToByteArray()),
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
        for (var i = 0; i < Links; i++)
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
                while (await link.ResponseStream.MoveNext(CancellationToken.None))
                {
                }
            }
            catch (RpcException ended)
            {
                code = ended.StatusCode;
            }
            catch (InvalidOperationException)
            {
                // Written to after the service had ended it: the call has the status.
                code = link.GetStatus().StatusCode;
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

    private static byte[] Noise(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
