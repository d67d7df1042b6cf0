using System.Text.Json;
using FuncX.Client;
using FuncX.Tests.Client.Fake;
using FuncX.Wire;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

public sealed class ClientMapTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_map_gives_every_value_in_the_order_of_its_arguments()
    {
        await using var service = await FakeService.StartAsync();
        service.State.Backwards = true;
        service.State.ChunkSize = 13;
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();

        var values = await client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 10_000), cancellation: Token).ToListAsync(Token);

        values.ShouldBe(Enumerable.Range(0, 10_000));
        service.State.Submissions.ShouldAllBe(request => request.Lengths.Count <= 1_000);
    }

    [Fact]
    public async Task A_map_as_completed_gives_every_value_once()
    {
        await using var service = await FakeService.StartAsync();
        service.State.Backwards = true;
        service.State.ChunkSize = 100;
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();

        var results = await client.MapResultsAsync<int, int>(function, endpoint, Enumerable.Range(0, 5_000), new MapOptions { Ordered = false }, cancellation: Token).ToListAsync(Token);

        results.ShouldNotBe(results.OrderBy(result => result.Index).ToList());
        results.OrderBy(result => result.Index).Select(result => result.Value).ShouldBe(Enumerable.Range(0, 5_000));
        results.ShouldAllBe(result => result.Index == result.Value);
    }

    [Fact]
    public async Task A_map_survives_cut_streams_repeated_results_and_forgotten_replies()
    {
        await using var service = await FakeService.StartAsync();
        service.State.RepeatChunks = true;
        service.State.CutResultsAfter = 3;
        service.State.ForgetReplies = 2;
        service.State.ChunkSize = 50;
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();

        var values = await client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 2_000), cancellation: Token).ToListAsync(Token);

        values.ShouldBe(Enumerable.Range(0, 2_000));
        service.State.DuplicateSubmissions.ShouldBeGreaterThan(0);
        service.State.ResultStreams.ShouldBeGreaterThan(5);
    }

    [Fact]
    public async Task A_map_goes_on_after_a_restart_of_the_service()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        var values = new List<int>();

        await foreach (var value in client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 20_000), new MapOptions { Window = 2_000 }, cancellation: Token))
        {
            values.Add(value);
            if (values.Count == 3_000)
                await service.RestartAsync(TimeSpan.FromMilliseconds(50));
        }

        values.ShouldBe(Enumerable.Range(0, 20_000));
    }

    [Fact]
    public async Task A_consumer_that_stops_reading_stops_the_source()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        var produced = 0;
        IEnumerable<int> Source()
        {
            while (true)
                yield return Interlocked.Increment(ref produced);
        }

        await using (var results = client.MapAsync<int, int>(function, endpoint, Source(), new MapOptions { Window = 500, Group = "endless" }, cancellation: Token).GetAsyncEnumerator(Token))
        {
            for (var taken = 0; taken < 1_000; taken++)
                (await results.MoveNextAsync()).ShouldBeTrue();
        }

        // The window, one message that waits for it and one being filled.
        Volatile.Read(ref produced).ShouldBeLessThan(1_000 + 500 + (3 * 125));
    }

    [Fact]
    public async Task A_failed_task_ends_a_map_of_values_and_cancels_the_rest()
    {
        await using var service = await FakeService.StartAsync();
        var function = service.State.AddFunction("fails", arguments => FakeState.Value(arguments) == "7"
            ? (TaskOutcome.Exception, """{"type": "ValueError", "message": "seven", "traceback": "Traceback (most recent call last): ..."}""")
            : (TaskOutcome.Value, FakeState.Value(arguments)));
        var endpoint = service.State.AddEndpoint("lab");
        await using var client = service.Client();
        IEnumerable<int> Source()
        {
            for (var number = 0; ; number++)
                yield return number;
        }

        var failure = await Should.ThrowAsync<RemoteTaskException>(async () =>
            await client.MapAsync<int, int>(function, endpoint, Source(), new MapOptions { Group = "doomed", Window = 200 }, cancellation: Token).ToListAsync(Token));

        failure.Type.ShouldBe("ValueError");
        failure.RemoteMessage.ShouldBe("seven");
        failure.Outcome.ShouldBe(TaskOutcome.Exception);
        failure.TaskId.Index.ShouldBe(7u);
    }

    [Fact]
    public async Task A_failed_task_is_one_result_of_a_map_of_results()
    {
        await using var service = await FakeService.StartAsync();
        var function = service.State.AddFunction("fails", arguments => FakeState.Value(arguments) == "7"
            ? (TaskOutcome.TimedOut, """{"type": "TimedOut", "message": "ran 3 s"}""")
            : (TaskOutcome.Value, FakeState.Value(arguments)));
        var endpoint = service.State.AddEndpoint("lab");
        await using var client = service.Client();

        var results = await client.MapResultsAsync<int, int>(function, endpoint, Enumerable.Range(0, 100), cancellation: Token).ToListAsync(Token);

        results.Count.ShouldBe(100);
        results.Count(result => result.Error is null).ShouldBe(99);
        results[7].Error.ShouldBeOfType<RemoteTaskException>().Outcome.ShouldBe(TaskOutcome.TimedOut);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_full_queue_makes_a_map_wait(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        var refusals = 5;
        service.State.Refusal = _ => Interlocked.Decrement(ref refusals) >= 0 ? new Status(StatusCode.ResourceExhausted, "queue of endpoint lab is full") : Status.DefaultSuccess;
        await using var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });

        var values = await client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 1_000), cancellation: Token).ToListAsync(Token);

        values.ShouldBe(Enumerable.Range(0, 1_000));
    }

    [Fact]
    public async Task The_exception_of_a_source_reaches_the_consumer_as_it_is()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        IEnumerable<int> Source()
        {
            yield return 1;
            throw new InvalidDataException("line 2 is broken");
        }

        var failure = await Should.ThrowAsync<InvalidDataException>(async () =>
            await client.MapAsync<int, int>(function, endpoint, Source(), cancellation: Token).ToListAsync(Token));

        failure.Message.ShouldBe("line 2 is broken");
    }

    [Fact]
    public async Task An_awaited_source_is_not_waited_for_with_calls_in_hand()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        var second = new TaskCompletionSource();
        async IAsyncEnumerable<int> Source()
        {
            yield return 1;
            await second.Task;
            yield return 2;
        }

        var values = new List<int>();
        await foreach (var value in client.MapAsync<int, int>(function, endpoint, Source(), cancellation: Token))
        {
            values.Add(value);
            second.TrySetResult();
        }

        values.ShouldBe([1, 2]);
    }

    [Fact]
    public async Task Values_of_any_json_type_come_back()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();

        (await client.MapAsync<string, string>(function, endpoint, ["a", "ü\"\n"], cancellation: Token).ToListAsync(Token)).ShouldBe(["a", "ü\"\n"]);
        (await client.MapAsync<double, double>(function, endpoint, [1.5, -2e300], cancellation: Token).ToListAsync(Token)).ShouldBe([1.5, -2e300]);
        (await client.MapAsync<long, long>(function, endpoint, [long.MinValue, 0], cancellation: Token).ToListAsync(Token)).ShouldBe([long.MinValue, 0]);
        var raw = await client.MapAsync<Dictionary<string, int>, JsonElement>(function, endpoint, [new() { ["a"] = 1 }], cancellation: Token).ToListAsync(Token);
        raw[0].GetProperty("a").GetInt32().ShouldBe(1);
    }
}
