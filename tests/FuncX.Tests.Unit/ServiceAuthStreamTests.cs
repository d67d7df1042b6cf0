using System.Diagnostics;
using FuncX.Contracts.V1;
using FuncX.Service.Limits;
using FuncX.Wire;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

public sealed class ServiceAuthStreamTests
{
    /// <summary>On the service's own clock: how fast the machine is does not matter.</summary>
    private static readonly TimeSpan s_withinASecond = TimeSpan.FromMilliseconds(999);

    /// <summary>How long this machine may take for what happens at once.</summary>
    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_revocation_ends_open_streams_within_a_second()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var running = await RunningService.StartAsync(clock: clock);
        var (text, id) = running.CreateToken("ann");
        using var results = Follow(running, text);
        using var submissions = Tasks(running).SubmitStream(RunningService.Bearer(text));
        Task[] reading = [ReadToEndAsync(results.ResponseStream), ReadToEndAsync(submissions.ResponseStream)];
        using var others = Follow(running, running.AdminToken);
        var othersReading = ReadToEndAsync(others.ResponseStream);
        await EventuallyOpenAsync(running, text, streams: 2);
        await EventuallyOpenAsync(running, running.AdminToken);
        await running.WatchesByAsync(clock);
        running.Revoke(id);
        reading.ShouldAllBe(static stream => !stream.IsCompleted);
        clock.Advance(s_withinASecond);
        foreach (var stream in reading)
            (await Should.ThrowAsync<RpcException>(() => stream.WaitAsync(s_moment))).Status.ShouldBe(new Status(StatusCode.Unauthenticated, $"the token {id} was revoked: by a test."));
        othersReading.IsCompleted.ShouldBeFalse();
        others.Dispose();
        await Should.ThrowAsync<RpcException>(() => othersReading.WaitAsync(s_moment));
    }

    [Fact]
    public async Task A_new_credential_of_an_endpoint_ends_the_link_of_the_earlier_one_without_waiting_for_the_watch()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var running = await RunningService.StartAsync(clock: clock);
        var registered = Register(running);
        using var link = await ConnectAsync(running, registered);
        Describe(running).Online.ShouldBeTrue();
        var reading = ReadToEndAsync(link.ResponseStream);
        var now = clock.GetUtcNow();
        Register(running);
        var problem = await Should.ThrowAsync<RpcException>(() => reading.WaitAsync(s_moment));
        clock.GetUtcNow().ShouldBe(now);
        problem.StatusCode.ShouldBe(StatusCode.Unauthenticated);
        problem.Status.Detail.ShouldContain("newer credential");
    }

    [Fact]
    public async Task A_deleted_endpoint_loses_its_link()
    {
        await using var running = await RunningService.StartAsync();
        var registered = Register(running);
        using var link = await ConnectAsync(running, registered);
        var reading = ReadToEndAsync(link.ResponseStream);
        running.Endpoints.Delete(new DeleteEndpointRequest { EndpointId = registered.EndpointId }, RunningService.Bearer(running.AdminToken));
        (await Should.ThrowAsync<RpcException>(() => reading)).StatusCode.ShouldBe(StatusCode.Unauthenticated);
    }

    [Fact]
    public async Task A_users_token_opens_no_link()
    {
        await using var running = await RunningService.StartAsync();
        using var link = new Link.LinkClient(running.Channel).Connect(RunningService.Bearer(running.AdminToken));
        var problem = await Should.ThrowAsync<RpcException>(() => link.ResponseStream.MoveNext(CancellationToken.None));
        problem.StatusCode.ShouldBe(StatusCode.PermissionDenied);
        problem.Status.Detail.ShouldContain("fxe_");
    }

    [Fact]
    public async Task A_stopping_service_ends_its_streams_as_unavailable_and_does_not_wait_for_their_clients()
    {
        var running = await RunningService.StartAsync();
        using var link = await ConnectAsync(running, Register(running));
        using var results = Follow(running, running.AdminToken);
        using var submissions = Tasks(running).SubmitStream(RunningService.Bearer(running.AdminToken));
        var following = ReadToEndAsync(results.ResponseStream);
        Task[] sending = [ReadToEndAsync(link.ResponseStream), ReadToEndAsync(submissions.ResponseStream)];
        await EventuallyOpenAsync(running, running.AdminToken, streams: 2);
        var began = Stopwatch.GetTimestamp();
        await running.StopAsync();
        Stopwatch.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(3));
        (await Should.ThrowAsync<RpcException>(() => following)).StatusCode.ShouldBe(StatusCode.Unavailable);
        foreach (var stream in sending)
        {
            var problem = await Should.ThrowAsync<RpcException>(() => stream);
            // .NET's HTTP client gives the connection's orderly end instead of the status it has received when it sees both before it has
            // stopped sending; the product's clients take the two for the same.
            if (problem.StatusCode != StatusCode.Unavailable)
                problem.Status.DebugException.ShouldBeOfType<HttpProtocolException>().ErrorCode.ShouldBe(0, problem.ToString());
        }

        await running.DisposeAsync();
    }

    [Fact]
    public async Task A_user_has_no_more_streams_than_allowed()
    {
        await using var running = await RunningService.StartAsync(new ServiceLimits { StreamsPerUser = 2 });
        using var one = Follow(running, running.AdminToken);
        using var two = Follow(running, running.AdminToken);
        await EventuallyOpenAsync(running, running.AdminToken, streams: 2);
        using var three = Follow(running, running.AdminToken);
        var problem = await Should.ThrowAsync<RpcException>(() => three.ResponseStream.MoveNext(CancellationToken.None));
        problem.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        problem.Status.Detail.ShouldContain("streams_per_user is 2");
        one.Dispose();
        await EventuallyOpenAsync(running, running.AdminToken, streams: 1);
        using var four = Follow(running, running.AdminToken);
        await EventuallyOpenAsync(running, running.AdminToken, streams: 2);
    }

    private static FuncX.Contracts.V1.Tasks.TasksClient Tasks(RunningService running) => new(running.Channel);

    private static AsyncServerStreamingCall<ResultChunk> Follow(RunningService running, string token) =>
        Tasks(running).Results(new ResultsRequest { Group = "group", Follow = true }, RunningService.Bearer(token));

    private static RegisterEndpointReply Register(RunningService running) =>
        running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, RunningService.Bearer(running.AdminToken));

    private static EndpointInfo Describe(RunningService running) =>
        running.Endpoints.Get(new GetEndpointRequest { Endpoint = "here" }, RunningService.Bearer(running.AdminToken));

    private static async Task<AsyncDuplexStreamingCall<EndpointMessage, ServiceMessage>> ConnectAsync(RunningService running, RegisterEndpointReply endpoint)
    {
        var link = new Link.LinkClient(running.Channel).Connect(RunningService.Bearer(endpoint.Credential));
        await link.RequestStream.WriteAsync(new EndpointMessage
        {
            Hello = new EndpointHello
            {
                Version = "test",
                ProtocolMinimum = ProtocolVersion.Minimum,
                ProtocolMaximum = ProtocolVersion.Maximum,
                EndpointId = endpoint.EndpointId,
                Instance = Guid.NewGuid().ToString(),
            },
        });
        (await link.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        link.ResponseStream.Current.MessageCase.ShouldBe(ServiceMessage.MessageOneofCase.Welcome);
        await link.RequestStream.WriteAsync(new EndpointMessage { Inventory = new EndpointInventory { Last = true } });
        var began = Stopwatch.GetTimestamp();
        while (!Describe(running).Online)
        {
            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(10));
            await Task.Delay(5);
        }

        return link;
    }

    private static async Task ReadToEndAsync<T>(IAsyncStreamReader<T> stream)
    {
        while (await stream.MoveNext(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20)))
        {
        }
    }

    private static async Task EventuallyOpenAsync(RunningService running, string token, int streams = 1)
    {
        var usage = running.Get<FuncX.Service.Auth.Authenticator>().Authenticate($"Bearer {token}", out _)!.Usage;
        var began = Stopwatch.GetTimestamp();
        while (usage.OpenStreams != streams)
        {
            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(10));
            await Task.Delay(5);
        }
    }
}
