using System.Buffers;
using System.Buffers.Binary;
using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Limits;
using FuncX.Service.Links;
using FuncX.Service.Registry;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>No turn, queue or announcement is larger than what may be kept.</summary>
public sealed class ServiceTasksBoundsTests
{
    private const int Tasks = 450_000;

    [Theory]
    [InlineData("cancel")]
    [InlineData("delete")]
    [InlineData("expire")]
    public async Task What_ends_a_whole_queue_does_so_in_several_turns(string how)
    {
        using var harness = new EngineHarness();
        for (var batch = 0; batch < 9; batch++)
            await harness.Engine.SubmitAsync(harness.Batch(Tasks / 9, bytes: 0, deadline: how == "expire" ? harness.Engine.Now + 60_000_000 : 0), "e", "f", inline: true);
        var before = harness.Engine.Commits;
        if (how == "cancel")
            (await harness.Engine.CancelAsync(EngineHarness.Owner, [], "g")).ShouldBe(Tasks);
        else if (how == "delete")
            await harness.Engine.EndpointDeletedAsync(EngineHarness.Endpoint, "lab");
        else
            harness.Time.Advance(TimeSpan.FromSeconds(62));
        var chunks = await harness.ReadAsync();
        chunks.Sum(chunk => chunk.Index.Count).ShouldBe(Tasks);
        harness.Engine.Commits.ShouldBeGreaterThan(before + 4);
        harness.Restart();
        (await harness.Engine.LookAsync(static state => state.Unfinished)).ShouldBe(0);
    }

    [Fact]
    public async Task A_message_of_more_frames_than_allowed_is_refused_by_its_size()
    {
        using var harness = new EngineHarness();
        using var receiver = harness.Receiver(await harness.ConnectAsync());
        var message = new EndpointResults { Sequence = 1, Frames = ByteString.CopyFrom(new byte[(1 << 20) + 1]) };
        (await Should.ThrowAsync<FrameException>(async () => await receiver.ReceiveAsync(message, inline: true))).Message.ShouldBe("message 1 has 1048577 bytes of frames; at most 1048576 may be");
    }

    [Fact]
    public async Task An_announced_body_takes_memory_only_as_it_comes()
    {
        using var harness = new EngineHarness();
        using var receiver = harness.Receiver(await harness.ConnectAsync());
        var batch = await harness.SubmitAsync(1_000);
        var frames = new ArrayBufferWriter<byte>();
        for (var index = 0u; index < 1_000; index++)
        {
            var body = new byte[sizeof(long) + ResultPrefix.Size];
            BinaryPrimitives.WriteInt64LittleEndian(body, 10 << 20);
            new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Octets }.Write(body.AsSpan(sizeof(long)));
            FrameWriter.Write(frames, new FrameHeader { Kind = FrameKind.Result, Flags = FrameFlags.Segmented, Attempt = 1, Task = new TaskId(batch.Key.Id, index) }, body);
        }

        var message = new EndpointResults { Sequence = 1, Frames = ByteString.CopyFrom(frames.WrittenSpan) };
        var before = GC.GetTotalAllocatedBytes();
        await receiver.ReceiveAsync(message, inline: true);
        (GC.GetTotalAllocatedBytes() - before).ShouldBeLessThan(1L << 30);
    }

    [Fact]
    public async Task A_link_is_told_once_of_a_task_that_is_cancelled_again_and_again_and_of_the_newest_acknowledgement()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        var batch = await harness.SubmitAsync(1);
        var task = new TaskId(batch.Key.Id, 0);
        await harness.TakeAsync(link);
        for (var again = 0; again < 10; again++)
            (await harness.Engine.CancelAsync(EngineHarness.Owner, [task], null)).ShouldBe(1);
        (await harness.TakeAsync(link)).Cancels.ShouldBe([task]);
        for (var sequence = 1ul; sequence <= 10; sequence++)
            link.Post(LinkItem.Acknowledge(sequence));
        link.TryTake(out var item).ShouldBeTrue();
        item.Sequence.ShouldBe(10ul);
        link.TryTake(out _).ShouldBeFalse();
        (await harness.TakeAsync(await harness.ConnectAsync("one", new InventoryEntry(task, 1, HeldState.Running)))).Cancels.ShouldBe([task]);
    }

    [Fact]
    public async Task A_submit_stream_whose_client_reads_no_replies_is_read_no_further()
    {
        using var harness = new EngineHarness();
        var registry = RegistryDatabase.Open(harness.Directory);
        var (functions, endpoints, limits) = (new FunctionCatalog(registry), new EndpointCatalog(registry, TimeProvider.System), new ServiceLimits());
        var submissions = new Submissions(harness.Engine, new SubmissionReader(functions, endpoints, limits), new DependencyReader(harness.Engine, harness.TaskReader()), functions, endpoints);
        var service = new TasksService(harness.Engine, submissions, new TaskReader(harness.Engine, functions, endpoints), new GroupReader(harness.Engine), limits, NullLogger<TasksService>.Instance);
        var requests = new ManyRequests(5_000);
        var replies = new SlowReplies();
        var serving = service.SubmitStream(requests, replies, new PlayedCall());
        // One is read ahead, and one waits for a place.
        requests.Read.ShouldBeInRange(1_024, 1_026);
        replies.Room.SetResult();
        await serving;
        (requests.Read, replies.Count).ShouldBe((5_000, 5_000));
    }

    [Fact]
    public async Task A_task_that_comes_back_after_its_deadline_expires_though_its_endpoint_is_gone()
    {
        using var harness = new EngineHarness();
        var link = await harness.ConnectAsync();
        await harness.Engine.SubmitAsync(harness.Batch(2, deadline: harness.Engine.Now + 10_000_000), "e", "f", inline: true);
        var sent = await harness.TakeAsync(link);
        sent.Tasks.Count.ShouldBe(2);
        harness.Time.Advance(TimeSpan.FromSeconds(20));
        link.CreditTasks = 0;
        using var receiver = harness.Receiver(link);
        receiver.TakeBack(EngineHarness.Returned([.. sent.Tasks]));
        harness.Engine.Disconnect(link);
        harness.Time.Advance(TimeSpan.FromSeconds(2));
        EngineHarness.Outcomes(await harness.ReadAsync()).Values.ShouldBe([Outcome.Expired, Outcome.Expired]);
    }

    /// <summary>Requests that are refused at once.</summary>
    private sealed class ManyRequests(int count) : IAsyncStreamReader<SubmitRequest>
    {
        public int Read { get; private set; }

        public SubmitRequest Current { get; } = new();

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (Read == count)
                return Task.FromResult(false);
            Read++;
            return Task.FromResult(true);
        }
    }

    private sealed class SlowReplies : IServerStreamWriter<SubmitReply>
    {
        public TaskCompletionSource Room { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Count { get; private set; }

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(SubmitReply message)
        {
            Count++;
            return Room.Task;
        }
    }

    /// <summary>A call as a handler sees it.</summary>
    private sealed class PlayedCall : ServerCallContext
    {
        public PlayedCall()
        {
            var http = new DefaultHttpContext();
            http.Features.Set(new Caller { Owner = new OwnerId(EngineHarness.Owner), UserName = "ann", Revoked = CancellationToken.None });
            UserStateCore = new Dictionary<object, object> { ["__HttpContext"] = http };
        }

        protected override string MethodCore => "/funcx.v1.Tasks/SubmitStream";

        protected override string HostCore => "here";

        protected override string PeerCore => "there";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore { get; } = [];

        protected override CancellationToken CancellationTokenCore => CancellationToken.None;

        protected override Metadata ResponseTrailersCore { get; } = [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override AuthContext AuthContextCore { get; } = new(null, []);

        protected override IDictionary<object, object> UserStateCore { get; }

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
