using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Service.Storage;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>What is refused or comes again takes no space.</summary>
public sealed class ServiceTasksSpaceTests
{
    [Fact]
    public async Task Large_arguments_of_a_refused_batch_are_not_written()
    {
        await using var service = await RunningService.StartAsync(new ServiceLimits { QueuePerEndpoint = 1 });
        var submit = new Submitter(service);
        await submit.SubmitAsync(submit.Request("first", new byte[100_000]));
        var before = LargeBytes(service.Directory);
        before.ShouldBeGreaterThanOrEqualTo(100_000);
        for (var again = 0; again < 15; again++)
            Should.Throw<RpcException>(() => submit.SubmitAsync(submit.Request("more", new byte[100_000]))).Status.Detail.ShouldContain("queue_per_endpoint is 1");
        LargeBytes(service.Directory).ShouldBe(before);
    }

    [Fact]
    public async Task Large_arguments_of_a_batch_that_comes_again_are_kept_once()
    {
        await using var service = await RunningService.StartAsync();
        var submit = new Submitter(service);
        var request = submit.Request("first", new byte[100_000]);
        (await submit.SubmitAsync(request)).Already.ShouldBeFalse();
        var before = LargeBytes(service.Directory);
        for (var again = 0; again < 8; again++)
            (await submit.SubmitAsync(request)).Already.ShouldBeTrue();
        LargeBytes(service.Directory).ShouldBe(before);
    }

    [Fact]
    public async Task A_large_result_that_comes_again_is_kept_once()
    {
        using var harness = new EngineHarness();
        var batch = await harness.SubmitAsync(1);
        var value = new byte[200_000];
        for (var again = 0; again < 4; again++)
        {
            using var receiver = harness.Receiver(await harness.ConnectAsync());
            await receiver.ReceiveAsync(EngineHarness.Message(1, (new TaskId(batch.Key.Id, 0), 1, TaskOutcome.Value, value)), inline: true);
        }

        LargeBytes(harness.Directory).ShouldBe(200_000);
        (await harness.ReadAsync()).ShouldHaveSingleItem().Bodies.Length.ShouldBe(200_000);
    }

    [Fact]
    public async Task Space_that_is_given_back_is_free_and_its_neighbours_stay()
    {
        using var directory = new ScratchDirectory();
        using var segments = new SegmentFiles(directory.Path);
        var body = new byte[1 << 20];
        Random.Shared.NextBytes(body);
        var (first, second, third) = (segments.Append(body), segments.Append(body), segments.Append(body));
        await segments.SyncAsync(first, third);
        segments.GiveBack(second, body.Length);
        var read = new byte[body.Length];
        segments.Read(first, read);
        segments.Read(third, read);
        read.ShouldBe(body);
        Should.Throw<ChunkException>(() => segments.Read(second, read));
    }

    [Fact]
    public async Task A_batch_that_comes_again_is_answered_as_before_whatever_has_become_of_its_function_endpoint_and_limits()
    {
        var directory = RunningService.NewDirectory();
        try
        {
            SubmitRequest small, large, other;
            string function, endpoint;
            await using (var service = await RunningService.StartAsync(directory: directory))
            {
                var submit = new Submitter(service);
                (small, large) = (submit.Request("g", [.. "[1]"u8]), submit.Request("g", new byte[100_000]));
                await submit.SubmitAsync(small);
                await submit.SubmitAsync(large);
                (function, endpoint) = (small.FunctionId, small.EndpointId);
                service.Functions.Delete(new DeleteFunctionRequest { FunctionId = function }, submit.Bearer);
                (await submit.SubmitAsync(small)).Already.ShouldBeTrue();
                service.Endpoints.Delete(new DeleteEndpointRequest { EndpointId = endpoint }, submit.Bearer);
                (await submit.SubmitAsync(small)).Already.ShouldBeTrue();
            }

            await using (var service = await RunningService.StartAsync(new ServiceLimits { PayloadBytes = 2, BatchBytes = 2, BatchTasks = 1, QueuePerUser = 1 }, directory))
            {
                var submit = new Submitter(service);
                (await submit.SubmitAsync(small)).Already.ShouldBeTrue();
                (await submit.SubmitAsync(large)).Already.ShouldBeTrue();
                other = small.Clone();
                other.Bodies = ByteString.CopyFromUtf8("[2]");
                Should.Throw<RpcException>(() => submit.SubmitAsync(other)).StatusCode.ShouldBe(StatusCode.AlreadyExists);
                other = small.Clone();
                other.FunctionId = new string('0', 64);
                Should.Throw<RpcException>(() => submit.SubmitAsync(other)).StatusCode.ShouldBe(StatusCode.AlreadyExists);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static long LargeBytes(string directory) => Directory.EnumerateFiles(Path.Combine(directory, "segments")).Sum(static path => new FileInfo(path).Length);

    /// <summary>An administrator with a function and an endpoint that never connects.</summary>
    private sealed class Submitter
    {
        private readonly Contracts.V1.Tasks.TasksClient _tasks;
        private readonly string _function;
        private readonly string _endpoint;

        public Submitter(RunningService service)
        {
            _tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
            Bearer = RunningService.Bearer(service.AdminToken);
            _function = service.RegisterFunction(service.AdminToken).FunctionId;
            _endpoint = service.Endpoints.Register(new RegisterEndpointRequest { Name = "lab" }, Bearer).EndpointId;
        }

        public Metadata Bearer { get; }

        public async Task<SubmitReply> SubmitAsync(SubmitRequest request) => await _tasks.SubmitAsync(request, Bearer);

        public SubmitRequest Request(string group, byte[] body)
        {
            var id = new byte[BatchId.Size];
            BatchId.New(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()).Write(id);
            return new SubmitRequest
            {
                BatchId = ByteString.CopyFrom(id),
                FunctionId = _function,
                EndpointId = _endpoint,
                Group = group,
                ContentType = 1,
                Lengths = { (uint)body.Length },
                Bodies = ByteString.CopyFrom(body),
            };
        }
    }
}
