using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers.Local;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>An endpoint inside a job: the one block that it has, and its nodes.</summary>
public sealed class EndpointOwnJobTests : EndpointBlocksHarness
{
    [Theory]
    [InlineData("exit 0", true)]
    [InlineData("exit 3", false)]
    public async Task In_its_own_job_an_endpoint_is_over_when_its_block_has_ended_well_and_by_itself(string agent, bool isOver)
    {
        var supervisor = await StartAsync(agent, "127.0.0.1:1111", provider: new LocalProvider(TimeProvider.System, ownJob: true));
        supervisor.Request("b1");
        await EventuallyAsync(() => Reports.Any(static report => report.StartsWith("ended b1", StringComparison.Ordinal)));
        supervisor.Over.IsCompleted.ShouldBe(isOver);
    }

    [Fact]
    public async Task A_block_that_is_ended_says_nothing_of_its_job()
    {
        var supervisor = await StartBlockAsync("trap 'exit 0' TERM; while :; do sleep 0.05; done", provider: new LocalProvider(TimeProvider.System, ownJob: true));
        supervisor.End("b1");
        await EventuallyAsync(() => Reports.Any(static report => report.StartsWith("ended b1", StringComparison.Ordinal)));
        supervisor.Over.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task An_endpoint_in_a_job_has_as_many_nodes_as_its_manager_finds_and_does_not_start_outside_one()
    {
        var file = EndpointConfigurationFile.Parse("x.yaml", $"name: a\nservice: https://x.org\nstate_dir: {Configuration.StateDirectory}\nprovider: {{type: allocation}}\nworkers: {{per_node: 1}}\n").Value!;
        (file.Blocks.Min, file.Blocks.Init, file.Blocks.Max).ShouldBe((1, 1, 1));
        (await ResolveAsync("printf 'n1\\nn2\\nn3\\n'")).Provider.Nodes.ShouldBe(3);
        (await Should.ThrowAsync<EndpointRefusedException>(() => ResolveAsync("echo this is no job >&2; exit 69"))).Message.ShouldContain("'provider.type' is allocation, and the nodes of this job are not known: this is no job");
        (await JobNodes.ResolveAsync(Configuration, new ManagerProgram("/nowhere"), CancellationToken.None)).ShouldBe(Configuration, "others are not asked");

        Task<EndpointConfiguration> ResolveAsync(string answer) => JobNodes.ResolveAsync(file, new ManagerProgram(Scratch.Write($"nodes-{Guid.NewGuid():N}", $"#!/bin/sh\n[ \"$*\" = --nodes ] || exit 64\n{answer}\n", FileModes.PrivateDirectory)), CancellationToken.None);
    }
}
