using System.Buffers;
using System.Diagnostics;
using FuncX.Contracts.V1;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Tasks and links over real connections.</summary>
public sealed class ServiceTasksGrpcTests
{
    [Fact]
    public async Task A_task_goes_through_the_link_and_is_shown_with_the_time_of_each_hop()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, credential) = Register(service);
        using var link = await ConnectAsync(service, endpoint, credential);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        var bearer = RunningService.Bearer(service.AdminToken);
        var request = Request(function, endpoint, 2);
        (await tasks.SubmitAsync(request, bearer)).Already.ShouldBeFalse();
        (await tasks.SubmitAsync(request, bearer)).Already.ShouldBeTrue();
        await AnswerAsync(link, 2);
        using var results = tasks.Results(new ResultsRequest { Group = "g" }, bearer);
        var chunks = await results.ResponseStream.ReadAllAsync().ToListAsync();
        chunks.Sum(chunk => chunk.Index.Count).ShouldBe(2);
        var id = $"{BatchId.Read(request.BatchId.Span)}-1";
        var info = await tasks.GetAsync(new GetTaskRequest { TaskId = id }, bearer);
        info.State.ShouldBe(TaskState.Done);
        info.Outcome.ShouldBe(Outcome.Value);
        info.Value.ToStringUtf8().ShouldBe("42");
        info.FunctionId.ShouldBe(function);
        info.EndpointId.ShouldBe(endpoint);
        info.Attempts.ShouldBe(1u);
        info.Times.ClientSent.ShouldBe(request.ClientSent);
        long[] rising = [info.Times.ServiceAccepted, info.Times.ServiceCommitted, info.Times.ServiceSent, info.Times.ServiceBack, info.Times.ResultCommitted];
        rising.ShouldBe(rising.Order());
        rising[0].ShouldBeGreaterThan(0);
        (await tasks.GetGroupAsync(new GetGroupRequest { Group = "g" }, bearer)).Done.ShouldBe(2);
        var list = await tasks.ListAsync(new ListTasksRequest { Group = "g", Limit = 1 }, bearer);
        list.Tasks.ShouldHaveSingleItem().TaskId.ShouldEndWith("-0");
        (await tasks.ListAsync(new ListTasksRequest { Group = "g", After = list.Next }, bearer)).Tasks.ShouldHaveSingleItem().TaskId.ShouldBe(id);
        var shown = await service.Endpoints.GetAsync(new GetEndpointRequest { Endpoint = endpoint }, bearer);
        (shown.Online, shown.Epoch, shown.Queued, shown.Dispatched).ShouldBe((true, 1u, 0L, 0L));
    }

    [Fact]
    public async Task Another_user_meets_neither_tasks_nor_groups()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, _) = Register(service);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        var request = Request(function, endpoint, 1);
        await tasks.SubmitAsync(request, RunningService.Bearer(service.AdminToken));
        var other = RunningService.Bearer(service.CreateToken("eve").Text);
        var id = $"{BatchId.Read(request.BatchId.Span)}-0";
        Refusal(() => tasks.GetAsync(new GetTaskRequest { TaskId = id }, other).ResponseAsync).StatusCode.ShouldBe(StatusCode.NotFound);
        Refusal(() => tasks.CancelAsync(new CancelRequest { TaskIds = { id } }, other).ResponseAsync).StatusCode.ShouldBe(StatusCode.NotFound);
        Refusal(() => tasks.GetGroupAsync(new GetGroupRequest { Group = "g" }, other).ResponseAsync).Detail.ShouldBe("group 'g' was not found");
        Refusal(() => tasks.SubmitAsync(Request(function, endpoint, 1), other).ResponseAsync).Detail.ShouldBe($"function '{function}' was not found");
    }

    [Fact]
    public async Task A_refused_batch_is_a_reply_and_the_stream_goes_on()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, _) = Register(service);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        using var stream = tasks.SubmitStream(RunningService.Bearer(service.AdminToken));
        for (var number = 0; number < 200; number++)
        {
            var request = Request(function, endpoint, 1);
            if (number == 100)
                request.Bodies = ByteString.CopyFromUtf8("[1]x");
            await stream.RequestStream.WriteAsync(request);
        }

        await stream.RequestStream.CompleteAsync();
        var replies = await stream.ResponseStream.ReadAllAsync().ToListAsync();
        replies.Count.ShouldBe(200);
        var refused = replies.Where(reply => reply.ErrorCode != 0).ShouldHaveSingleItem();
        refused.ErrorCode.ShouldBe((int)StatusCode.InvalidArgument);
        refused.ErrorMessage.ShouldContain("the lengths sum to 3 and bodies has 4 bytes");
    }

    [Fact]
    public async Task Open_streams_end_within_a_second_of_the_revocation()
    {
        await using var service = await RunningService.StartAsync();
        var (text, id) = service.CreateToken("ann");
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        using var results = tasks.Results(new ResultsRequest { Group = "g", Follow = true }, RunningService.Bearer(text));
        using var submissions = tasks.SubmitStream(RunningService.Bearer(text));
        await Task.Delay(300);
        var watch = Stopwatch.StartNew();
        service.Revoke(id);
        var ended = await Should.ThrowAsync<RpcException>(() => results.ResponseStream.MoveNext(CancellationToken.None));
        ended.StatusCode.ShouldBe(StatusCode.Unauthenticated);
        ended = await Should.ThrowAsync<RpcException>(() => submissions.ResponseStream.MoveNext(CancellationToken.None));
        ended.StatusCode.ShouldBe(StatusCode.Unauthenticated);
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task Malformed_frames_end_their_link_and_nothing_else()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, credential) = Register(service);
        var random = new Random(5);
        for (var attempt = 0; attempt < 50; attempt++)
        {
            using var bad = await ConnectAsync(service, endpoint, credential);
            var bytes = new byte[random.Next(1, 300)];
            random.NextBytes(bytes);
            await bad.RequestStream.WriteAsync(new EndpointMessage { Results = new EndpointResults { Sequence = 1, Frames = ByteString.CopyFrom(bytes) } });
            var ended = await Should.ThrowAsync<RpcException>(async () =>
            {
                while (await bad.ResponseStream.MoveNext(CancellationToken.None))
                {
                }
            });
            ended.StatusCode.ShouldBe(StatusCode.InvalidArgument);
        }

        using var link = await ConnectAsync(service, endpoint, credential);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        await tasks.SubmitAsync(Request(function, endpoint, 1), RunningService.Bearer(service.AdminToken));
        await AnswerAsync(link, 1);
    }

    [Fact]
    public async Task The_newer_link_wins_and_the_older_is_told_so()
    {
        await using var service = await RunningService.StartAsync();
        var (_, endpoint, credential) = Register(service);
        using var older = await ConnectAsync(service, endpoint, credential);
        using var newer = await ConnectAsync(service, endpoint, credential);
        (await older.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        older.ResponseStream.Current.Superseded.ShouldNotBeNull();
        (await older.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeFalse();
    }

    private static (string Function, string Endpoint, string Credential) Register(RunningService service)
    {
        var endpoint = service.Endpoints.Register(new RegisterEndpointRequest { Name = "lab" }, RunningService.Bearer(service.AdminToken));
        return (service.RegisterFunction(service.AdminToken).FunctionId, endpoint.EndpointId, endpoint.Credential);
    }

    private static SubmitRequest Request(string function, string endpoint, int count)
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

    private static async Task<AsyncDuplexStreamingCall<EndpointMessage, ServiceMessage>> ConnectAsync(RunningService service, string endpoint, string credential)
    {
        var link = new Link.LinkClient(service.Channel).Connect(RunningService.Bearer(credential));
        await link.RequestStream.WriteAsync(new EndpointMessage
        {
            Hello = new EndpointHello { Version = "1", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = endpoint, Instance = Guid.NewGuid().ToString() },
        });
        (await link.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        link.ResponseStream.Current.Welcome.Name.ShouldBe("lab");
        await link.RequestStream.WriteAsync(new EndpointMessage { Inventory = new EndpointInventory { Last = true } });
        await link.RequestStream.WriteAsync(new EndpointMessage { Credit = new Credit { Tasks = 1000, Bytes = 1 << 20 } });
        return link;
    }

    /// <summary>Answers tasks as they come, until so many are acknowledged.</summary>
    private static async Task AnswerAsync(AsyncDuplexStreamingCall<EndpointMessage, ServiceMessage> link, int count)
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

    private static Status Refusal(Func<Task> call) => Should.Throw<RpcException>(call).Status;
}
