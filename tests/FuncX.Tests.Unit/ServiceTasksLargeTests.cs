using System.Buffers.Binary;
using FuncX.Contracts.V1;
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
    private readonly string _directory = RunningService.NewDirectory();

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
            await SubmitAsync(service, registered, [body]);
            Spoil();
            await ShouldReceiveAsync(service, registered, [body]);
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
                (await results.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
            results.ResponseStream.Current.Bodies.ToStringUtf8().ShouldContain("cannot be read back from the service");
        }
    }

    private static async Task SubmitAsync(RunningService service, (string Function, string Endpoint, string Credential) registered, byte[][] bodies)
    {
        var request = Request(registered.Function, registered.Endpoint, bodies.Length);
        request.Lengths.Clear();
        request.Lengths.AddRange(bodies.Select(static body => (uint)body.Length));
        request.Bodies = ByteString.CopyFrom(bodies.SelectMany(static body => body).ToArray());
        await new Contracts.V1.Tasks.TasksClient(service.Channel).SubmitAsync(request, RunningService.Bearer(service.AdminToken));
    }

    /// <summary>Takes one batch and leaves without having it: it is in line for the next link, and that one holds it.</summary>
    private static async Task ShouldReceiveAsync(RunningService service, (string Function, string Endpoint, string Credential) registered, byte[][] bodies)
    {
        using var link = await ConnectAsync(service, registered.Endpoint, registered.Credential);
        await link.RequestStream.WriteAsync(new EndpointMessage { Credit = new Credit { Tasks = 1_000, Bytes = 64 << 20 } });
        var received = new Dictionary<uint, List<byte>>();
        var whole = new Dictionary<uint, long>();
        TaskId task = default;
        while (received.Count < bodies.Length || received.Any(entry => whole.GetValueOrDefault(entry.Key, entry.Value.Count) > entry.Value.Count))
        {
            (await link.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
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
