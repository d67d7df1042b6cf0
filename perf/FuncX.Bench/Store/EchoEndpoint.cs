using System.Buffers.Binary;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Bench.Store;

/// <summary>Plays an endpoint that answers every task with its own arguments, to fill a service with finished tasks.</summary>
internal static class EchoEndpoint
{
    private const int Ahead = 500_000;

    /// <summary>Submits so many tasks and returns once all have their outcome.</summary>
    /// <returns>Bytes of arguments and values together.</returns>
    public static async Task<long> RunAsync(LocalCluster cluster, int tasks, int perBatch, int bodyBytes)
    {
        var registered = await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "echo" }, cluster.Api.Headers);
        var function = await cluster.Api.RegisterAsync("def same(x):\n    return x\n", "same");
        using var endpoint = new ServiceApi(cluster.Service.Address, registered.Credential);
        using var link = endpoint.Link.Connect(endpoint.Headers);
        await link.RequestStream.WriteAsync(new EndpointMessage
        {
            Hello = new EndpointHello
            {
                Version = ProtocolVersion.Product,
                ProtocolMinimum = ProtocolVersion.Minimum,
                ProtocolMaximum = ProtocolVersion.Maximum,
                EndpointId = registered.EndpointId,
                Instance = "echo",
            },
        });
        await link.RequestStream.WriteAsync(new EndpointMessage { Inventory = new EndpointInventory { Last = true } });
        await link.RequestStream.WriteAsync(new EndpointMessage { Credit = new Credit { Tasks = (ulong)tasks, Bytes = ulong.MaxValue / 2 } });
        var answered = 0;
        var echoing = EchoAsync(link, tasks, () => Volatile.Read(ref answered), count => Volatile.Write(ref answered, count));
        var submitting = SubmitAsync(cluster, function, registered.EndpointId, tasks, perBatch, bodyBytes, () => Volatile.Read(ref answered));
        await await Task.WhenAny(echoing, submitting);
        await Task.WhenAll(echoing, submitting);
        await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("echo")).Done == tasks, $"{tasks} tasks have ended");
        await link.RequestStream.CompleteAsync();
        return 2L * tasks * bodyBytes;
    }

    /// <summary>Submits so many tasks to an endpoint that is never there.</summary>
    public static async Task QueueAsync(LocalCluster cluster, int tasks, int perBatch, int bodyBytes)
    {
        var registered = await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "never" }, cluster.Api.Headers);
        var function = await cluster.Api.RegisterAsync("def same(x):\n    return x\n", "same");
        await SubmitAsync(cluster, function, registered.EndpointId, tasks, perBatch, bodyBytes, () => tasks);
    }

    private static async Task SubmitAsync(LocalCluster cluster, string function, string endpoint, int tasks, int perBatch, int bodyBytes, Func<int> answered)
    {
        var submitted = 0;
        var bodies = new byte[perBatch * bodyBytes];
        Random.Shared.NextBytes(bodies);
        using var call = cluster.Api.Tasks.SubmitStream(cluster.Api.Headers);
        var replies = Task.Run(async () =>
        {
            for (var accepted = 0; accepted < tasks / perBatch; accepted += call.ResponseStream.Current.BatchIds.Length / BatchId.Size)
            {
                if (!await call.ResponseStream.MoveNext(CancellationToken.None) || call.ResponseStream.Current.ErrorCode != 0)
                    throw new InvalidDataException($"a batch was refused: {call.ResponseStream.Current}");
            }
        });
        while (submitted < tasks)
        {
            if (submitted - answered() > Ahead)
            {
                await Task.Delay(1);
                continue;
            }

            var request = new SubmitRequest
            {
                BatchId = ServiceApi.Bytes(ServiceApi.NewBatch()),
                FunctionId = function,
                EndpointId = endpoint,
                Group = "echo",
                ContentType = (uint)ContentType.Octets,
                Bodies = UnsafeByteOperations.UnsafeWrap(bodies),
                ClientSent = ServiceApi.NowMicroseconds(),
            };
            for (var i = 0; i < perBatch; i++)
                request.Lengths.Add((uint)bodyBytes);
            await call.RequestStream.WriteAsync(request);
            submitted += perBatch;
        }

        await replies;
        await call.RequestStream.CompleteAsync();
    }

    private static async Task EchoAsync(AsyncDuplexStreamingCall<EndpointMessage, ServiceMessage> link, int tasks, Func<int> answered, Action<int> answer)
    {
        ulong sequence = 0;
        while (answered() < tasks && await link.ResponseStream.MoveNext(CancellationToken.None))
        {
            var message = link.ResponseStream.Current;
            if (message.Tasks is not { } sent)
                continue;
            var (results, count) = Answer(sent.Frames.Span);
            await link.RequestStream.WriteAsync(new EndpointMessage { Results = new EndpointResults { Sequence = ++sequence, Frames = results } });
            answer(answered() + count);
        }
    }

    // Every frame grows by the prefix of its result; the times scatter as those of tasks of some 10 us do.
    private static (ByteString Results, int Count) Answer(ReadOnlySpan<byte> frames)
    {
        var tasks = 0;
        for (var rest = frames; FrameReader.TryRead(rest, out _, out var length); rest = rest[length..])
            tasks++;
        var output = new byte[frames.Length + (tasks * ResultPrefix.Size)];
        var random = Random.Shared;
        var now = ServiceApi.NowMicroseconds();
        var at = 0;
        while (FrameReader.TryRead(frames, out var header, out var length))
        {
            frames[..FrameHeader.Size].CopyTo(output.AsSpan(at));
            BinaryPrimitives.WriteInt32LittleEndian(output.AsSpan(at), length + ResultPrefix.Size);
            output[at + FrameHeader.KindOffset] = (byte)FrameKind.Result;
            now += random.Next(4);
            var sent = now + 20 + random.Next(40);
            var received = sent + 50 + random.Next(200);
            var started = received + 30 + random.Next(2_000);
            var ended = started + 5 + random.Next(20);
            new ResultPrefix
            {
                Outcome = TaskOutcome.Value,
                ContentType = header.ContentType,
                EndpointReceived = now,
                EndpointSent = sent,
                ManagerReceived = received,
                WorkerStarted = started,
                WorkerEnded = ended,
                EndpointBack = ended + 100 + random.Next(2_000),
            }.Write(output.AsSpan(at + FrameHeader.Size));
            frames[FrameHeader.Size..length].CopyTo(output.AsSpan(at + FrameHeader.Size + ResultPrefix.Size));
            at += length + ResultPrefix.Size;
            frames = frames[length..];
        }

        return (UnsafeByteOperations.UnsafeWrap(output), tasks);
    }
}
