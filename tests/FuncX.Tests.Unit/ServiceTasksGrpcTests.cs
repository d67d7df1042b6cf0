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
using static FuncX.Tests.Unit.ServiceTasks.ServiceTasksPlayed;

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
        var (function, endpoint, credential) = Register(service);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        var bearer = RunningService.Bearer(service.AdminToken);
        var (ended, queued) = (Request(function, endpoint, 1), Request(function, endpoint, 1));
        await tasks.SubmitAsync(ended, bearer);
        using (var link = await ConnectAsync(service, endpoint, credential))
            await AnswerAsync(link, 1);
        await tasks.SubmitAsync(queued, bearer);
        var other = RunningService.Bearer(service.CreateToken("eve").Text);
        var ownEndpoint = (await service.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "lab" }, other)).EndpointId;
        // The same code would have the same id.
        var ownFunction = service.RegisterFunction(service.CreateToken("eve").Text, code: "def double(x):\n    return x + x\n").FunctionId;
        var unknown = $"{BatchId.Read(Request(function, endpoint, 1).BatchId.Span)}-0";
        foreach (var foreign in new[] { $"{BatchId.Read(ended.BatchId.Span)}-0", $"{BatchId.Read(queued.BatchId.Span)}-0" })
        {
            Same(foreign, unknown, StatusCode.NotFound, id => tasks.GetAsync(new GetTaskRequest { TaskId = id }, other).ResponseAsync);
            Same(foreign, unknown, StatusCode.NotFound, id => tasks.CancelAsync(new CancelRequest { TaskIds = { id } }, other).ResponseAsync);
        }

        Same("g", "nobodys", StatusCode.NotFound, group => tasks.CancelAsync(new CancelRequest { Group = group }, other).ResponseAsync);
        Same("g", "nobodys", StatusCode.NotFound, group => tasks.GetGroupAsync(new GetGroupRequest { Group = group }, other).ResponseAsync);
        Same("g", "nobodys", StatusCode.NotFound, group => ReadAsync(tasks, new ResultsRequest { Group = group }, other));
        Same(function, new string('0', 64), StatusCode.NotFound, id => tasks.SubmitAsync(Request(id, ownEndpoint, 1), other).ResponseAsync);
        Same(endpoint, new string('0', endpoint.Length), StatusCode.NotFound, id => tasks.SubmitAsync(Request(ownFunction, id, 1), other).ResponseAsync);
        Same("g", "nobodys", StatusCode.NotFound, group => tasks.SetGroupLabelsAsync(new SetGroupLabelsRequest { Group = group, Set = { ["a"] = "1" } }, other).ResponseAsync);
        (await tasks.ListGroupsAsync(new ListGroupsRequest(), other)).ShouldBe(new ListGroupsReply());
        foreach (var state in Enum.GetValues<TaskState>())
        {
            foreach (var group in new[] { "g", "nobodys" })
                (await tasks.ListAsync(new ListTasksRequest { Group = group, State = state }, other)).ShouldBe(new ListTasksReply());
        }

        // Nothing of it has touched the owner's tasks.
        var owners = await tasks.GetGroupAsync(new GetGroupRequest { Group = "g" }, bearer);
        (owners.Tasks, owners.Queued + owners.Dispatched, owners.Failed).ShouldBe((2, 1, 0));
    }

    [Fact]
    public async Task Groups_are_labelled_and_listed_and_what_is_wrong_with_a_request_is_said()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, _) = Register(service);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        var bearer = RunningService.Bearer(service.AdminToken);
        foreach (var name in (string[])["a", "b", "c"])
        {
            var request = Request(function, endpoint, 1);
            (request.Group, request.Labels["k"]) = (name, name);
            await tasks.SubmitAsync(request, bearer);
        }

        var labelled = await tasks.SetGroupLabelsAsync(new SetGroupLabelsRequest { Group = "b", Set = { ["new"] = "1" }, Remove = { "k" } }, bearer);
        (labelled.Tasks, labelled.Labels.Count, labelled.Labels["new"]).ShouldBe((1, 1, "1"));
        var page = await tasks.ListGroupsAsync(new ListGroupsRequest { Limit = 2 }, bearer);
        (page.Next, page.Groups[1]).ShouldBe(("b", labelled));
        var rest = await tasks.ListGroupsAsync(new ListGroupsRequest { Limit = 2, After = page.Next }, bearer);
        (rest.Next, rest.Groups.ShouldHaveSingleItem().Labels["k"]).ShouldBe(("", "c"));
        (await tasks.ListGroupsAsync(new ListGroupsRequest { Labels = { "k" } }, bearer)).Groups.Select(static group => group.Group).ShouldBe(["a", "c"]);

        await RefusedAsync("limit is 1001; 1 to 1000 are right, 0 means 100", new ListGroupsRequest { Limit = 1_001 });
        await RefusedAsync("limit is -1; 1 to 1000 are right, 0 means 100", new ListGroupsRequest { Limit = -1 });
        await RefusedAsync("after goes on by name; with recent there is no next page", new ListGroupsRequest { Recent = true, After = "a" });
        await RefusedAsync("label selector 'a b=c': label key 'a b' has ' '; letters, digits, '.', '_', '/' and '-' are right", new ListGroupsRequest { Labels = { "a b=c" } });
        await RefusedAsync("there are 33 label selectors; up to 32 are right", new ListGroupsRequest { Labels = { Enumerable.Repeat("a", 33) } });
        await RefusedAsync("nothing is said of group 'a'; labels to set or keys to remove are wanted", label: new SetGroupLabelsRequest { Group = "a" });
        await RefusedAsync("label 'k' is to be set and removed", label: new SetGroupLabelsRequest { Group = "a", Set = { ["k"] = "" }, Remove = { "k" } });
        await RefusedAsync("label key '!' has '!'; letters, digits, '.', '_', '/' and '-' are right", label: new SetGroupLabelsRequest { Group = "a", Remove = { "!" } });

        async Task RefusedAsync(string message, ListGroupsRequest? list = null, SetGroupLabelsRequest? label = null)
        {
            var refused = await Should.ThrowAsync<RpcException>(async () =>
            {
                if (list is not null)
                    await tasks.ListGroupsAsync(list, bearer);
                else
                    await tasks.SetGroupLabelsAsync(label!, bearer);
            });
            refused.Status.ShouldBe(new Status(StatusCode.InvalidArgument, message));
        }
    }

    [Fact]
    public async Task Groups_and_batches_of_one_name_are_each_users_own()
    {
        await using var service = await RunningService.StartAsync();
        var (function, endpoint, credential) = Register(service);
        var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
        var bearer = RunningService.Bearer(service.AdminToken);
        var token = service.CreateToken("eve").Text;
        var other = RunningService.Bearer(token);
        var (ownFunction, ownEndpoint, ownCredential) = Register(service, token);
        var request = Request(function, endpoint, 2);
        var own = Request(ownFunction, ownEndpoint, 1);
        own.BatchId = request.BatchId;
        using var following = tasks.Results(new ResultsRequest { Group = "g", Follow = true }, other);
        // The headers come once the stream listens.
        await following.ResponseHeadersAsync;
        await tasks.SubmitAsync(request, bearer);
        using (var link = await ConnectAsync(service, endpoint, credential))
            await AnswerAsync(link, 2);
        (await ReadAsync(tasks, new ResultsRequest { Group = "g" }, bearer)).ShouldBe(2);
        (await tasks.SubmitAsync(own, other)).Already.ShouldBeFalse();
        using (var link = await ConnectAsync(service, ownEndpoint, ownCredential))
            await AnswerAsync(link, 1);
        (await following.ResponseStream.MoveNext(TestContext.Current.CancellationToken)).ShouldBeTrue();
        following.ResponseStream.Current.Index.ShouldBe([0u]);
        (await ReadAsync(tasks, new ResultsRequest { Group = "g" }, other)).ShouldBe(1);
        (await tasks.ListAsync(new ListTasksRequest { Group = "g" }, other)).Tasks.ShouldHaveSingleItem().FunctionId.ShouldBe(ownFunction);
        Refusal(() => tasks.GetAsync(new GetTaskRequest { TaskId = $"{BatchId.Read(request.BatchId.Span)}-1" }, other).ResponseAsync).StatusCode.ShouldBe(StatusCode.NotFound);
        (await tasks.ListAsync(new ListTasksRequest { Group = "g" }, bearer)).Tasks.Select(static task => task.FunctionId).ShouldBe([function, function]);
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

    /// <summary>How many results a stream that is not followed has.</summary>
    private static async Task<int> ReadAsync(Contracts.V1.Tasks.TasksClient tasks, ResultsRequest request, Metadata headers)
    {
        using var results = tasks.Results(request, headers);
        return (await results.ResponseStream.ReadAllAsync().ToListAsync()).Sum(static chunk => chunk.Index.Count);
    }

    /// <summary>What belongs to another is refused in the very words that what does not exist is.</summary>
    private static void Same(string foreign, string unknown, StatusCode status, Func<string, Task> call)
    {
        var (one, other) = (Refusal(() => call(foreign)), Refusal(() => call(unknown)));
        one.StatusCode.ShouldBe(status);
        one.Detail.ShouldContain($"'{foreign}' was not found");
        one.ShouldBe(new Status(other.StatusCode, other.Detail.Replace(unknown, foreign, StringComparison.Ordinal)));
    }

    private static Status Refusal(Func<Task> call) => Should.Throw<RpcException>(call).Status;
}
