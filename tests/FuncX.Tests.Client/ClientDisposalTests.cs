using FuncX.Client;
using FuncX.Tests.Client.Fake;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>What becomes of calls whose client goes away under them, over the stream of submissions and with a call for each message.</summary>
public sealed class ClientDisposalTests
{
    // What takes a moment, on a machine that is busy.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_unanswered_batch_and_the_one_that_forms_behind_it_fail_and_the_connection_is_closed(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        var arrived = Unanswering(service);
        var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });
        var sent = await client.SubmitAsync<int, int>(function, endpoint, 1, cancellation: Token);
        await arrived.WaitAsync(Moment, Token);
        var forming = await client.SubmitAsync<int, int>(function, endpoint, 2, cancellation: Token);

        await client.DisposeAsync();

        await FailsAsync(sent, "The client was disposed before");
        await FailsAsync(forming, "The client was disposed before the call was sent");
        await ClosedAsync(service);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_call_that_waits_for_room_fails(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        var arrived = Unanswering(service);
        var client = service.Client(new FuncXClientOptions { UnarySubmission = unary, UnacknowledgedBytes = 1 });
        var sent = await client.SubmitAsync<int, int>(function, endpoint, 1, cancellation: Token);
        await arrived.WaitAsync(Moment, Token);
        var waiting = client.SubmitAsync<int, int>(function, endpoint, 2, cancellation: Token).AsTask();
        var many = client.SubmitManyAsync<int, int>(function, endpoint, [3, 4], cancellation: Token);
        waiting.IsCompleted.ShouldBeFalse();

        await client.DisposeAsync();

        await FailsAsync(sent, "The client was disposed before");
        await FailsAsync(await waiting.WaitAsync(Moment, Token), "The client was disposed before the call was sent");
        (await Should.ThrowAsync<FuncXException>(() => many.WaitAsync(Moment, Token))).Message.ShouldContain("The client was disposed before the call was sent");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_call_of_a_client_that_is_gone_fails(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });
        (await client.CallAsync<int, int>(function, endpoint, 1, cancellation: Token)).ShouldBe(1);
        await client.DisposeAsync();

        var late = await client.SubmitAsync<int, int>(function, endpoint, 2, cancellation: Token);

        await FailsAsync(late, "The client was disposed before the call was sent");
        service.State.Submissions.ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_map_that_outlives_its_client_fails(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        var arrived = Unanswering(service);
        var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });
        var values = client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 100), cancellation: Token).ToListAsync(Token).AsTask();
        await arrived.WaitAsync(Moment, Token);

        await client.DisposeAsync();

        (await Should.ThrowAsync<FuncXException>(() => values.WaitAsync(Moment, Token))).Message.ShouldContain("The client was disposed before");
    }

    /// <summary>Lets no submission be answered; completes with the first.</summary>
    private static Task Unanswering(FakeService service)
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        service.State.SubmissionArrives = (_, end) =>
        {
            arrived.TrySetResult();
            return Task.Delay(Timeout.Infinite, end);
        };
        return arrived.Task;
    }

    private static async Task ClosedAsync(FakeService service)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Moment);
        while (service.Connections > 0)
            await Task.Delay(10, limit.Token);
    }

    private static async Task FailsAsync(TaskHandle<int> handle, string message)
    {
        (await Should.ThrowAsync<FuncXException>(() => handle.AsTask().WaitAsync(Moment, Token))).Message.ShouldContain(message);
        (await Should.ThrowAsync<FuncXException>(() => handle.Accepted.WaitAsync(Moment, Token))).Message.ShouldContain(message);
    }
}
