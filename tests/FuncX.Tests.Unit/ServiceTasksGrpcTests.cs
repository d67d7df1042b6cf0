using System.Buffers;
using System.Diagnostics;
using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Data.Sqlite;
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
        replies.Sum(static reply => reply.BatchIds.Length).ShouldBe(200 * BatchId.Size);
        replies.SelectMany(static reply => reply.BatchIds.Chunk(BatchId.Size)).Select(Convert.ToHexString).ShouldBeUnique();
        var refused = replies.Where(reply => reply.ErrorCode != 0).ShouldHaveSingleItem();
        refused.BatchIds.Length.ShouldBe(BatchId.Size);
        refused.ErrorCode.ShouldBe((int)StatusCode.InvalidArgument);
        refused.ErrorMessage.ShouldContain("the lengths sum to 3 and bodies has 4 bytes");
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

    [Theory]
    [InlineData("payload_bytes", "call 0 of batch {id} has 5 bytes of arguments; the limit payload_bytes is 4")]
    [InlineData("batch_tasks", "batch {id} has 4 calls; the limit batch_tasks is 3")]
    [InlineData("batch_bytes", "batch {id} has 12 bytes of arguments; the limit batch_bytes is 10")]
    [InlineData("most_attempts", "batch {id}: max_attempts is 6; the limit most_attempts is 5")]
    [InlineData("request_bytes", "the request of /funcx.v1.Tasks/Submit has ")]
    public async Task A_submission_beyond_a_limit_is_refused_by_its_name_and_value(string limit, string words)
    {
        var limits = new ServiceLimits { PayloadBytes = 4, BatchTasks = 3, BatchBytes = 10, MostAttempts = 5, RequestBytes = 1 << 20 };
        await using var service = await RunningService.StartAsync(limits);
        var (function, endpoint, _) = Register(service);
        var request = Request(function, endpoint, limit == "batch_tasks" ? 4 : limit == "batch_bytes" ? 3 : 1);
        if (limit == "payload_bytes")
            Resize(request, 5);
        else if (limit == "batch_bytes")
            Resize(request, 4, 4, 4);
        else if (limit == "request_bytes")
            Resize(request, (1 << 20) + (1 << 18));
        request.Options = new TaskOptions { MaxAttempts = limit == "most_attempts" ? 6u : 0u };
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        var refused = Refusal(() => tasks.SubmitAsync(request, RunningService.Bearer(service.AdminToken)).ResponseAsync);
        refused.Detail.ShouldContain(words.Replace("{id}", $"{BatchId.Read(request.BatchId.Span)}", StringComparison.Ordinal));
        if (limit == "request_bytes")
            refused.Detail.ShouldContain("the limit request_bytes is 1048576");
    }

    [Theory]
    [InlineData("range", StatusCode.FailedPrecondition, "90 to 99")]
    [InlineData("version", StatusCode.InvalidArgument, "the hello's version has 65 characters; at most 64 are right")]
    [InlineData("silence", StatusCode.DeadlineExceeded, "no hello came within 10 s")]
    public async Task A_hello_that_is_wrong_or_does_not_come_is_refused(string what, StatusCode status, string words)
    {
        await using var service = await RunningService.StartAsync();
        var (_, endpoint, credential) = Register(service);
        using var link = new Link.LinkClient(service.Channel).Connect(RunningService.Bearer(credential));
        var hello = new EndpointHello { Version = "7.7", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = endpoint, Instance = "one" };
        if (what == "range")
            (hello.ProtocolMinimum, hello.ProtocolMaximum) = (90, 99);
        else if (what == "version")
            hello.Version = new string('7', 65);
        if (what != "silence")
            await link.RequestStream.WriteAsync(new EndpointMessage { Hello = hello });
        var ended = await Should.ThrowAsync<RpcException>(() => link.ResponseStream.MoveNext(CancellationToken.None));
        ended.StatusCode.ShouldBe(status);
        ended.Status.Detail.ShouldContain(words);
        if (what == "range")
            ended.Status.Detail.ShouldContain($"{ProtocolVersion.Minimum} to {ProtocolVersion.Maximum}");
    }

    [Fact]
    public async Task One_credential_opens_only_so_many_links()
    {
        await using var service = await RunningService.StartAsync();
        var (_, _, credential) = Register(service);
        var links = Enumerable.Range(0, 33).Select(_ => new Link.LinkClient(service.Channel).Connect(RunningService.Bearer(credential))).ToList();
        var endings = links.Select(async link => (await Should.ThrowAsync<RpcException>(() => link.ResponseStream.MoveNext(CancellationToken.None))).Status).ToList();
        (await await Task.WhenAny(endings)).Detail.ShouldContain("link number 33 at once; at most 32 may be");
        links.ForEach(static link => link.Dispose());
    }

    [Fact]
    public async Task A_batch_that_breaks_the_service_is_answered_and_the_stream_goes_on()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, _) = Register(service);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        using var stream = tasks.SubmitStream(RunningService.Bearer(service.AdminToken));
        await stream.RequestStream.WriteAsync(Request(function, endpoint, 1));
        (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        stream.ResponseStream.Current.ErrorCode.ShouldBe(0);
        using (var registry = new SqliteConnection($"Data Source={Path.Combine(service.Directory, "registry.db")};Pooling=False"))
        {
            registry.Open();
            using var command = registry.CreateCommand();
            command.CommandText = "ALTER TABLE functions RENAME TO elsewhere";
            command.ExecuteNonQuery();
        }

        var broken = Request(new string('0', 64), endpoint, 1);
        await stream.RequestStream.WriteAsync(broken);
        (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        stream.ResponseStream.Current.BatchIds.ShouldBe(broken.BatchId);
        stream.ResponseStream.Current.ErrorCode.ShouldBe((int)StatusCode.Internal);
        await stream.RequestStream.WriteAsync(Request(function, endpoint, 1));
        (await stream.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        stream.ResponseStream.Current.ErrorCode.ShouldBe(0);
    }

    [Fact]
    public async Task A_revocation_ends_streams_whose_clients_do_not_read()
    {
        await using var service = await RunningService.StartAsync(new ServiceLimits { StreamsPerUser = 1 });
        var (text, id) = service.CreateToken("ann");
        var (function, endpoint, credential) = Register(service, text);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        // More than the windows of HTTP/2 and all buffers on the way take.
        var request = Request(function, endpoint, 12);
        await tasks.SubmitAsync(request, RunningService.Bearer(text));
        using var link = await ConnectAsync(service, endpoint, credential);
        var frames = new ArrayBufferWriter<byte>();
        var sequence = 0ul;
        for (var index = 0u; index < 12; index++)
        {
            frames.Clear();
            var body = new byte[ResultPrefix.Size + (8 << 20)];
            new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Octets }.Write(body);
            FrameWriter.WriteSegmented(frames, new FrameHeader { Kind = FrameKind.Result, Attempt = 1, Task = new TaskId(BatchId.Read(request.BatchId.Span), index) }, body);
            for (var at = 0; at < frames.WrittenCount;)
            {
                FrameReader.TryRead(frames.WrittenSpan[at..], out _, out var length).ShouldBeTrue();
                await link.RequestStream.WriteAsync(new EndpointMessage { Results = new EndpointResults { Sequence = ++sequence, Frames = ByteString.CopyFrom(frames.WrittenSpan.Slice(at, length)) } });
                at += length;
            }
        }

        using var channel = GrpcChannel.ForAddress(service.Address, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        using var results = new Contracts.V1.Tasks.TasksClient(channel).Results(new ResultsRequest { Group = "g" }, RunningService.Bearer(text));
        (await results.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        await Task.Delay(500);
        var usage = service.Get<Service.Auth.Authenticator>().Authenticate($"Bearer {text}", out _)!.Usage;
        usage.OpenStreams.ShouldBe(1);
        service.Revoke(id);
        var watch = Stopwatch.StartNew();
        while (usage.OpenStreams > 0)
        {
            watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(3));
            await Task.Delay(10);
        }
    }

    [Fact]
    public async Task A_deletion_is_answered_once_the_tasks_of_the_endpoint_have_ended()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, _) = Register(service);
        var bearer = RunningService.Bearer(service.AdminToken);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        for (var batch = 0; batch < 20; batch++)
            await tasks.SubmitAsync(Request(function, endpoint, 10_000), bearer);
        await service.Endpoints.DeleteAsync(new DeleteEndpointRequest { EndpointId = endpoint }, bearer);
        var group = await tasks.GetGroupAsync(new GetGroupRequest { Group = "g" }, bearer);
        (group.Queued, group.Done, group.Failed).ShouldBe((0L, 200_000L, 200_000L));
    }

    [Fact]
    public async Task When_an_endpoint_was_seen_and_its_version_outlive_a_restart_and_its_note_is_bounded()
    {
        var directory = RunningService.NewDirectory();
        try
        {
            string endpoint;
            EndpointInfo before;
            await using (var service = await RunningService.StartAsync(directory: directory))
            {
                (_, endpoint, var credential) = Register(service);
                using var link = await ConnectAsync(service, endpoint, credential);
                await link.RequestStream.WriteAsync(new EndpointMessage { Status = new EndpointStatus { Note = new string('n', 5_000) } });
                var watch = Stopwatch.StartNew();
                while ((before = service.Endpoints.Get(new GetEndpointRequest { Endpoint = endpoint }, RunningService.Bearer(service.AdminToken))).Status is null)
                    watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
                before.Status.Note.Length.ShouldBe(1024);
            }

            await using (var service = await RunningService.StartAsync(directory: directory))
            {
                var after = service.Endpoints.Get(new GetEndpointRequest { Endpoint = endpoint }, RunningService.Bearer(service.AdminToken));
                (after.Online, after.Version).ShouldBe((false, "1"));
                after.LastSeen.ShouldBeGreaterThanOrEqualTo(before.LastSeen);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Resize(SubmitRequest request, params int[] lengths)
    {
        request.Lengths.Clear();
        request.Lengths.AddRange(lengths.Select(static length => (uint)length));
        request.Bodies = ByteString.CopyFrom(new byte[lengths.Sum()]);
    }

    private static (string Function, string Endpoint, string Credential) Register(RunningService service, string? token = null)
    {
        token ??= service.AdminToken;
        var endpoint = service.Endpoints.Register(new RegisterEndpointRequest { Name = "lab" }, RunningService.Bearer(token));
        return (service.RegisterFunction(token).FunctionId, endpoint.EndpointId, endpoint.Credential);
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
