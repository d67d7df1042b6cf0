using System.Buffers;
using FuncX.Contracts.V1;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Shouldly;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>What users and endpoints of a running service do over real connections.</summary>
internal static class ServiceTasksPlayed
{
    public static void Resize(SubmitRequest request, params int[] lengths)
    {
        request.Lengths.Clear();
        request.Lengths.AddRange(lengths.Select(static length => (uint)length));
        request.Bodies = ByteString.CopyFrom(new byte[lengths.Sum()]);
    }

    public static (string Function, string Endpoint, string Credential) Register(RunningService service, string? token = null)
    {
        token ??= service.AdminToken;
        var endpoint = service.Endpoints.Register(new RegisterEndpointRequest { Name = "lab" }, RunningService.Bearer(token));
        return (service.RegisterFunction(token).FunctionId, endpoint.EndpointId, endpoint.Credential);
    }

    public static SubmitRequest Request(string function, string endpoint, int count)
    {
        var id = new byte[BatchId.Size];
        BatchId.New(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()).Write(id);
        return new SubmitRequest
        {
            BatchId = ByteString.CopyFrom(id),
            FunctionId = function,
            EndpointId = endpoint,
            Group = "g",
            ContentType = 1,
            Lengths = { Enumerable.Repeat(3u, count) },
            Bodies = ByteString.CopyFromUtf8(string.Concat(Enumerable.Repeat("[1]", count))),
            ClientSent = 1_700_000_000_000_000,
        };
    }

    public static async Task<AsyncDuplexStreamingCall<EndpointMessage, ServiceMessage>> ConnectAsync(RunningService service, string endpoint, string credential, ulong creditTasks = 1_000)
    {
        var link = new Link.LinkClient(service.Channel).Connect(RunningService.Bearer(credential));
        await link.RequestStream.WriteAsync(new EndpointMessage
        {
            Hello = new EndpointHello { Version = "1", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = endpoint, Instance = Guid.NewGuid().ToString() },
        });
        (await link.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        link.ResponseStream.Current.Welcome.Name.ShouldBe("lab");
        await link.RequestStream.WriteAsync(new EndpointMessage { Inventory = new EndpointInventory { Last = true } });
        await link.RequestStream.WriteAsync(new EndpointMessage { Credit = new Credit { Tasks = creditTasks, Bytes = creditTasks * 1_048 } });
        return link;
    }

    /// <summary>Answers tasks as they come, until so many are acknowledged.</summary>
    public static async Task AnswerAsync(AsyncDuplexStreamingCall<EndpointMessage, ServiceMessage> link, int count)
    {
        var sequence = 0ul;
        var answered = 0;
        while (await link.ResponseStream.MoveNext(CancellationToken.None))
        {
            var message = link.ResponseStream.Current;
            if (message.MessageCase == ServiceMessage.MessageOneofCase.Ack && answered == count && message.Ack.Sequence == sequence)
                return;
            if (message.MessageCase != ServiceMessage.MessageOneofCase.Tasks)
                continue;
            var frames = new ArrayBufferWriter<byte>();
            var input = message.Tasks.Frames.Memory;
            while (FrameReader.TryRead(input.Span, out var header, out var length))
            {
                input = input[length..];
                header.Kind = FrameKind.Result;
                var body = new byte[ResultPrefix.Size + 2];
                new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Json, WorkerStarted = 1, WorkerEnded = 2 }.Write(body);
                "42"u8.CopyTo(body.AsSpan(ResultPrefix.Size));
                FrameWriter.Write(frames, header, body);
                answered++;
            }

            await link.RequestStream.WriteAsync(new EndpointMessage { Results = new EndpointResults { Sequence = ++sequence, Frames = ByteString.CopyFrom(frames.WrittenSpan) } });
        }

        throw new InvalidOperationException("the link ended");
    }
}
