using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Tests.Integration.Access;

public sealed class MalformedTests
{
    private const int Count = 10_000;

    [Fact]
    public Task Ten_thousand_malformed_requests_leave_the_service_as_it_was() => Scenario.RunAsync(async cluster =>
    {
        var random = new Random(1);
        var before = cluster.Service.Identity;
        using var channel = GrpcChannel.ForAddress(cluster.Service.Address);
        var invoker = channel.CreateCallInvoker();
        string[] methods =
        [
            "funcx.v1.Functions/Register", "funcx.v1.Functions/Get", "funcx.v1.Functions/List", "funcx.v1.Functions/Delete",
            "funcx.v1.Endpoints/Register", "funcx.v1.Endpoints/Get", "funcx.v1.Endpoints/List", "funcx.v1.Endpoints/Delete",
            "funcx.v1.Tasks/Submit", "funcx.v1.Tasks/Get", "funcx.v1.Tasks/List", "funcx.v1.Tasks/Cancel", "funcx.v1.Tasks/GetGroup",
        ];
        var raw = Marshallers.Create(static (byte[] bytes) => bytes, static bytes => bytes);
        var good = Google.Protobuf.MessageExtensions.ToByteArray(ServiceApi.Request(new string('0', 64), cluster.EndpointId, "g", ["[1]", "[2]"]));
        var seen = new SortedDictionary<StatusCode, int>();
        await Parallel.ForEachAsync(Enumerable.Range(0, Count - 1_000), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
        {
            byte[] body;
            string[] names;
            lock (random)
            {
                names = methods[random.Next(methods.Length)].Split('/');
                body = Mutate(random, good);
            }

            var code = StatusCode.OK;
            try
            {
                await invoker.AsyncUnaryCall(
                    new Method<byte[], byte[]>(MethodType.Unary, names[0], names[1], raw, raw), null, new CallOptions(cluster.Api.Headers, DateTime.UtcNow.AddSeconds(30)), body);
            }
            catch (RpcException refused)
            {
                code = refused.StatusCode;
            }

            lock (seen)
                seen[code] = seen.GetValueOrDefault(code) + 1;
        });

        // The link: an endpoint's own credential, then frames that cannot be.
        var registered = await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "garbage" }, cluster.Api.Headers);
        using var endpoint = new ServiceApi(cluster.Service.Address, registered.Credential);
        for (var i = 0; i < 1_000; i++)
        {
            using var link = endpoint.Link.Connect(endpoint.Headers);
            try
            {
                await link.RequestStream.WriteAsync(new EndpointMessage
                {
                    Hello = new EndpointHello { Version = "test", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = registered.EndpointId, Instance = $"{i}" },
                });
                await link.RequestStream.WriteAsync(new EndpointMessage { Inventory = new EndpointInventory { Entries = Bytes(random.Next(3) * 7), Last = true } });
                await link.RequestStream.WriteAsync(new EndpointMessage { Results = new EndpointResults { Sequence = (ulong)random.NextInt64(), Frames = Bytes(random.Next(500)) } });
                if (random.Next(2) == 0)
                    await link.RequestStream.CompleteAsync();
            }
            catch (Exception ended) when (ended is RpcException or InvalidOperationException)
            {
                // The service ended the link at an earlier message.
            }
        }

        cluster.Service.Identity.ShouldBe(before);
        seen.Keys.ShouldNotContain(StatusCode.Unknown, string.Join(", ", seen));
        seen.Keys.ShouldNotContain(StatusCode.Unavailable, string.Join(", ", seen));
        await StillWorksAsync(cluster);

        Google.Protobuf.ByteString Bytes(int count)
        {
            var bytes = new byte[count];
            random.NextBytes(bytes);
            return Google.Protobuf.ByteString.CopyFrom(bytes);
        }
    });

    [Fact]
    public Task Ten_thousand_malformed_frames_leave_the_endpoint_as_it_was() => Scenario.RunAsync(async cluster =>
    {
        const int PerConnection = 25;
        var random = new Random(2);
        var before = cluster.Endpoint.Identity;
        for (var i = 0; i < Count / PerConnection; i++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", cluster.Endpoint.Port);
            try
            {
                // A quarter never gets through the handshake: plain bytes, no Hello, a wrong secret; the rest is a manager that went mad.
                if (i % 8 == 0)
                {
                    await client.GetStream().WriteAsync(Garbage(random, PerConnection * 100));
                    continue;
                }

                await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => IsOf(cluster, certificate));
                await tls.AuthenticateAsClientAsync("funcx");
                if (i % 8 != 1)
                    await tls.WriteAsync(Hello(cluster, right: i % 8 != 2, i));
                for (var frame = 0; frame < PerConnection; frame++)
                    await tls.WriteAsync(Frame(random, breaks: frame == PerConnection - 1));
                await tls.FlushAsync();
                // Its answer, if any, up to the end of the connection.
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
                var buffer = new byte[4_096];
                while (await tls.ReadAsync(buffer, limit.Token) > 0)
                {
                }
            }
            catch (Exception ended) when (ended is IOException or SocketException or System.Security.Authentication.AuthenticationException)
            {
                // It closed the connection at the first of them.
            }
        }

        cluster.Endpoint.Identity.ShouldBe(before);
        cluster.Endpoint.IsAlive.ShouldBeTrue(cluster.Endpoint.Tail);
        await StillWorksAsync(cluster);
    });

    private static async Task StillWorksAsync(LocalCluster cluster)
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        await cluster.SubmitRangeAsync(function, "still-works", 200);
        (await cluster.Api.WaitAsync("still-works", 200)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Value);
    }

    private static byte[] Mutate(Random random, byte[] good)
    {
        if (random.Next(3) == 0)
            return Garbage(random, random.Next(200));
        var bytes = good.ToArray();
        for (var changes = random.Next(1, 6); changes > 0; changes--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return random.Next(3) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
    }

    private static byte[] Garbage(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private static JsonDocument Rendezvous(LocalCluster cluster) =>
        JsonDocument.Parse(File.ReadAllBytes(Directory.GetFiles(cluster.Endpoint.StateDirectory, "rendezvous.json", SearchOption.AllDirectories).Single()));

    private static bool IsOf(LocalCluster cluster, X509Certificate? certificate)
    {
        using var rendezvous = Rendezvous(cluster);
        return string.Equals(
            certificate?.GetCertHashString(HashAlgorithmName.SHA256), rendezvous.RootElement.GetProperty("fingerprint").GetString(), StringComparison.OrdinalIgnoreCase);
    }

    private static ReadOnlyMemory<byte> Hello(LocalCluster cluster, bool right, int number)
    {
        using var json = Rendezvous(cluster);
        var output = new ArrayBufferWriter<byte>();
        FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Hello }, JsonSerializer.SerializeToUtf8Bytes(new
        {
            role = "manager",
            version = "test",
            protocol_minimum = 1,
            protocol_maximum = 1,
            secret = right ? json.RootElement.GetProperty("secret").GetString() : "wrong",
            block = json.RootElement.GetProperty("block").GetString(),
            manager = $"mad-{number}",
            node = "mad",
            pid = Environment.ProcessId,
        }));
        return output.WrittenMemory;
    }

    private static ReadOnlyMemory<byte> Frame(Random random, bool breaks)
    {
        var output = new ArrayBufferWriter<byte>();
        FrameKind[] kinds = [FrameKind.Result, FrameKind.Returned, FrameKind.Mark, FrameKind.Segment, FrameKind.Inventory, FrameKind.Status, FrameKind.Heartbeat];
        var header = new FrameHeader
        {
            Kind = kinds[random.Next(kinds.Length)],
            Flags = (FrameFlags)random.Next(16),
            Task = new TaskId(ServiceApi.NewBatch(), (uint)random.Next()),
            Ticket = (uint)random.Next(),
            Function = (uint)random.Next(10),
            Attempt = (ushort)random.Next(5),
        };
        FrameWriter.Write(output, header, Garbage(random, random.Next(300)));
        var bytes = output.WrittenSpan.ToArray();
        if (breaks)
            bytes[FrameHeader.KindOffset] = 200;
        return bytes;
    }
}
