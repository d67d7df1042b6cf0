using System.Buffers.Binary;
using FuncX.Contracts.V1;
using FuncX.Service.Links;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Shouldly;
using Xunit;
using static FuncX.Tests.Unit.ServiceTasks.ServiceTasksPlayed;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Large arguments on their way to the endpoint: from the memory of the request while that is kept, else from their file.</summary>
public sealed class ServiceTasksLargeTests : IDisposable
{
    // What takes a moment, on a machine that is busy.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(60);

    private readonly string _directory = RunningService.NewDirectory();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Bodies_of_all_sizes_reach_the_endpoint_before_and_after_a_restart()
    {
        int[] sizes = [3, 70_000, 64 * 1024, 1_000_000, 0, 300_000, FrameHeader.MaxBody, FrameHeader.MaxBody + 1];
        var bodies = sizes.Select(static (size, seed) => Bytes(size, seed)).ToArray();
        (string Function, string Endpoint, string Credential) registered;
        await using (var service = await RunningService.StartAsync(directory: _directory))
        {
            registered = Register(service);
            await SubmitAsync(service, registered, bodies);
            await ShouldReceiveAsync(service, registered, bodies);
            await SubmitAsync(service, registered, bodies);
        }

        await using (var service = await RunningService.StartAsync(directory: _directory))
            await ShouldReceiveAsync(service, registered, bodies);
    }

    [Fact]
    public async Task A_body_that_is_in_memory_needs_no_file_and_one_that_is_not_ends_its_task_when_its_file_is_wrong()
    {
        var body = Bytes(600_000, 1);
        (string Function, string Endpoint, string Credential) registered;
        await using (var service = await RunningService.StartAsync(directory: _directory))
        {
            registered = Register(service);
            using (var link = await ConnectAsync(service, registered.Endpoint, registered.Credential, creditTasks: 0))
            {
                await SubmitAsync(service, registered, [body]);
                Spoil();
                await ShouldReceiveAsync(service, link, [body]);
            }

            await SubmitAsync(service, registered, [body]);
        }

        Spoil();
        await using (var service = await RunningService.StartAsync(directory: _directory))
        {
            using var link = await ConnectAsync(service, registered.Endpoint, registered.Credential);
            using var results = new Contracts.V1.Tasks.TasksClient(service.Channel).Results(
                new ResultsRequest { Group = "g", Follow = true }, RunningService.Bearer(service.AdminToken));
            // The first batch was cancelled.
            for (var outcome = TaskOutcome.Cancelled; outcome != TaskOutcome.Rejected; outcome = (TaskOutcome)results.ResponseStream.Current.Outcomes.ShouldHaveSingleItem())
                (await results.ResponseStream.MoveNext(Token).WaitAsync(Moment, Token)).ShouldBeTrue();
            results.ResponseStream.Current.Bodies.ToStringUtf8().ShouldContain("cannot be read back from the service");
        }
    }

    [Fact]
    public void Requests_are_kept_for_their_large_bodies_while_the_endpoint_is_there_and_up_to_a_budget_of_their_own()
    {
        using var harness = new EngineHarness(_directory);
        var turn = new Turn(harness.Store) { LargeBudget = 1_000 };
        turn.Begin(1);

        Kept(600).ShouldBeFalse("nobody is there to read it");
        turn.State.Endpoint(EngineHarness.Endpoint).Link = new LinkSession(EngineHarness.Owner, "ann", "one", "1.0");
        var first = turn.Submit(Large(600));
        first.Record!.CameAt.ShouldNotBeNull();
        Kept(401).ShouldBeFalse("600 and 401 are more than 1,000");
        Kept(400).ShouldBeTrue();
        (turn.State.LargeResidentBytes, turn.State.ResidentBytes).ShouldBe((1_000, 4 * 5));
        turn.State.LetGo(first);
        (turn.State.LargeResidentBytes, turn.State.ResidentBytes).ShouldBe((400, 3 * 5));
        Kept(600).ShouldBeTrue();

        bool Kept(int bytes) => turn.Submit(Large(bytes)).Record!.CameAt is not null;

        SubmissionRecord Large(int came) => harness.Batch(1) with { Large = new SegmentReference[1], LargeBytes = [0], Came = new byte[came], CameAt = [0, came] };
    }

    private static async Task SubmitAsync(RunningService service, (string Function, string Endpoint, string Credential) registered, byte[][] bodies)
    {
        var request = Request(registered.Function, registered.Endpoint, bodies.Length);
        request.Lengths.Clear();
        request.Lengths.AddRange(bodies.Select(static body => (uint)body.Length));
        request.Bodies = ByteString.CopyFrom(bodies.SelectMany(static body => body).ToArray());
        await new Contracts.V1.Tasks.TasksClient(service.Channel).SubmitAsync(request, RunningService.Bearer(service.AdminToken));
    }

    private static async Task ShouldReceiveAsync(RunningService service, (string Function, string Endpoint, string Credential) registered, byte[][] bodies)
    {
        using var link = await ConnectAsync(service, registered.Endpoint, registered.Credential);
        await ShouldReceiveAsync(service, link, bodies);
    }

    /// <summary>Takes one batch, and cancels it.</summary>
    private static async Task ShouldReceiveAsync(RunningService service, AsyncDuplexStreamingCall<EndpointMessage, ServiceMessage> link, byte[][] bodies)
    {
        await link.RequestStream.WriteAsync(new EndpointMessage { Credit = new Credit { Tasks = 1_000, Bytes = 64 << 20 } });
        var received = new Dictionary<uint, List<byte>>();
        var whole = new Dictionary<uint, long>();
        TaskId task = default;
        while (received.Count < bodies.Length || received.Any(entry => whole.GetValueOrDefault(entry.Key, entry.Value.Count) > entry.Value.Count))
        {
            (await link.ResponseStream.MoveNext(Token).WaitAsync(Moment, Token)).ShouldBeTrue();
            if (link.ResponseStream.Current.MessageCase != ServiceMessage.MessageOneofCase.Tasks)
                continue;
            var input = link.ResponseStream.Current.Tasks.Frames.Memory;
            while (FrameReader.TryRead(input.Span, out var header, out var length))
            {
                var body = input.Span[FrameHeader.Size..length];
                input = input[length..];
                task = header.Task;
                if (header.Kind == FrameKind.Task)
                    received.Add(task.Index, []);
                if ((header.Flags & FrameFlags.Segmented) != 0)
                {
                    whole.Add(task.Index, BinaryPrimitives.ReadInt64LittleEndian(body));
                    body = body[sizeof(long)..];
                }

                received[task.Index].AddRange(body);
            }
        }

        for (var index = 0; index < bodies.Length; index++)
            received[(uint)index].SequenceEqual(bodies[index]).ShouldBeTrue($"body {index} of {bodies[index].Length} bytes");
        await new Contracts.V1.Tasks.TasksClient(service.Channel).CancelAsync(new CancelRequest { Group = "g" }, RunningService.Bearer(service.AdminToken));
    }

    private void Spoil()
    {
        foreach (var path in Directory.EnumerateFiles(Path.Combine(_directory, "segments")))
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            file.Position = 1_000;
            file.Write(new byte[1_000]);
            file.Position = Math.Max(0, file.Length - 1_000);
            file.Write(new byte[1_000]);
        }
    }

    private static byte[] Bytes(int size, int seed)
    {
        var bytes = new byte[size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
