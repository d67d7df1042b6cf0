using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Tasks whose function runs in a container, at an endpoint that runs none.</summary>
public sealed class EndpointContainerTests
{
    [Fact]
    public async Task They_end_as_rejected_with_the_containers_name_and_others_beside_them_run()
    {
        await using var system = await EndpointSystem.StartAsync();
        await system.Link.TellAsync();
        await system.Link.SendAsync(new ServiceMessage
        {
            Function = new LinkFunction
            {
                Number = 8, FunctionId = "inside", Kind = "python", Name = "f", Entry = "f", Code = ByteString.CopyFromUtf8("def f(): pass"),
                Container = new LinkContainer { ContainerId = new string('a', 64), Name = "ml", Images = { ["shifter"] = "docker:lab/ml:1", ["apptainer"] = "/images/ml.sif" } },
            },
        });
        // One of a frame, one of several.
        await system.Link.TasksAsync(EndpointSystem.Batch, 0, 1, 8, function: 8);
        await system.Link.TasksAsync(EndpointSystem.Batch, 1, 1, 700_000, function: 8);
        var ended = new Dictionary<uint, (TaskOutcome Outcome, FailureBody Why)>();
        while (ended.Count < 2)
        {
            foreach (var (header, body) in (await system.Link.ResultsAsync()).Frames)
                ended[header.Task.Index] = (ResultPrefix.Read(body, body.Length).Outcome, JsonSerializer.Deserialize<FailureBody>(body.AsSpan(ResultPrefix.Size))!);
        }

        foreach (var (outcome, why) in ended.Values)
        {
            outcome.ShouldBe(TaskOutcome.Rejected);
            why.Type.ShouldBe("ContainerNotAvailable");
            why.Message.ShouldStartWith("The function runs in container 'ml' (aaaaaaaa, for apptainer, shifter), and endpoint '");
            why.Message.ShouldEndWith("runs functions on its nodes themselves: containers.runtime is none in its file.");
        }

        // Nothing of them came to the manager.
        await system.TasksAsync(2, 1);
        var (task, _) = await system.Manager.ReadAsync(FrameKind.Task);
        task.Task.Index.ShouldBe(2U);
    }
}
