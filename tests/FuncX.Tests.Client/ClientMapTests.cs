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
        // Which of the first messages it was in is a matter of timing.
        service.State.Find(failure.TaskId.ToString())!.Outcome.ShouldBe(Contracts.V1.Outcome.Exception);
    }

    [Fact]
    public async Task An_interrupted_map_cancels_its_own_calls_and_no_others_of_its_group()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        var options = new MapOptions { Group = "shared" };
        (await client.MapAsync<int, int>(function, endpoint, [1, 2], options, cancellation: Token).ToListAsync(Token)).Count.ShouldBe(2);
        service.State.Holding = true;
        var goesOn = client.MapAsync<int, int>(function, endpoint, [3, 4], options, cancellation: Token).ToListAsync(Token).AsTask();
        await service.State.AcceptedAsync(4);
        var others = service.State.Submissions.Count;
        using var interrupt = new CancellationTokenSource();
        var interrupted = client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 12_000), options, cancellation: interrupt.Token).ToListAsync(interrupt.Token).AsTask();
        await service.State.AcceptedAsync(12_004);

        await interrupt.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => interrupted);

        service.State.Cancelled.Order(StringComparer.Ordinal).ShouldBe(service.State.Submissions.Skip(others).SelectMany(request =>
            Enumerable.Range(0, request.Lengths.Count).Select(index => $"{Convert.ToHexStringLower(request.BatchId.Span)}-{index}")).Order(StringComparer.Ordinal));
        service.State.CancelRequests.Count.ShouldBeGreaterThan(1);
        service.State.Release();
        (await goesOn).ShouldBe([3, 4]);
    }

    [Fact]
    public async Task An_interrupted_map_cancels_only_what_has_not_ended()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        async IAsyncEnumerable<int> Source([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation = default)
        {
            yield return 1;
            await service.State.AcceptedAsync(1).WaitAsync(cancellation);
            service.State.Holding = true;
            yield return 2;
            await Task.Delay(Timeout.Infinite, cancellation);
        }

        await using (var values = client.MapAsync<int, int>(function, endpoint, Source(Token), cancellation: Token).GetAsyncEnumerator(Token))
        {
            (await values.MoveNextAsync()).ShouldBeTrue();
            await service.State.AcceptedAsync(2);
        }

        service.State.Cancelled.ShouldHaveSingleItem().ShouldStartWith(Convert.ToHexStringLower(service.State.Submissions[1].BatchId.Span));
    }

    [Fact]
    public async Task A_map_holds_no_more_bytes_than_its_window()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        service.State.Holding = true;
        await using var client = service.Client();
        var (produced, taken, most) = (0, 0, 0);
        IEnumerable<string> Source()
        {
            for (; produced < 4_000; produced++)
            {
                most = Math.Max(most, produced - Volatile.Read(ref taken));
                yield return new string('x', 1_000);
            }
        }

        // A call weighs 1,066 bytes: 93 of them are held at most, and a message of 16 may wait and another be filled; the consumer may not be done with a third.
        var opening = service.State.AcceptedAsync(78).ContinueWith(_ => service.State.Release(), Token, TaskContinuationOptions.None, TaskScheduler.Default);
        await foreach (var value in client.MapAsync<string, string>(function, endpoint, Source(), new MapOptions { BatchSize = 16, WindowBytes = 100_000 }, cancellation: Token))
        {
            value.Length.ShouldBe(1_000);
            Interlocked.Increment(ref taken);
        }

        await opening;
        taken.ShouldBe(4_000);
        most.ShouldBeLessThanOrEqualTo(93 + (3 * 16));
    }

    [Fact]
    public async Task Large_results_of_another_program_in_the_same_group_do_not_narrow_a_map()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var other = service.Client(new FuncXClientOptions { Group = "shared" });
        await other.SubmitManyAsync<string, string>(function, endpoint, Enumerable.Repeat(new string('x', 100_000), 10), cancellation: Token);
        await using var client = service.Client();
        var first = new TaskCompletionSource();
        async IAsyncEnumerable<int> Source()
        {
            yield return 0;
            await first.Task;
            for (var number = 1; number < 400; number++)
                yield return number;
        }

        // Results come in the order of their commits: with its own first one the map has seen the others too. 400 small calls weigh a thirtieth of what it may hold.
        await using var values = client.MapAsync<int, int>(
            function, endpoint, Source(), new MapOptions { Group = "shared", BatchSize = 16, WindowBytes = 1_000_000 }, cancellation: Token).GetAsyncEnumerator(Token);
        (await values.MoveNextAsync()).ShouldBeTrue();
        service.State.Holding = true;
        first.SetResult();

        await service.State.AcceptedAsync(10 + 400).WaitAsync(TimeSpan.FromSeconds(60), Token);
        service.State.Release();
        for (var number = 0; number < 400; number++)
        {
            values.Current.ShouldBe(number);
            (await values.MoveNextAsync()).ShouldBe(number < 399);
        }
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_above_a_limit_for_one_ends_a_map_at_once_and_says_which_calls_went_together(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        service.State.Refusal = static request => request.Lengths.Any(static length => length > 100)
            ? new Status(StatusCode.ResourceExhausted, "call 0 of batch 0193f1c2a4b77c1e90ab12cd has 203 bytes of arguments; the limit payload_bytes is 100")
            : Status.DefaultSuccess;
        await using var client = service.Client(new FuncXClientOptions { UnarySubmission = unary, RetryFor = Timeout.InfiniteTimeSpan });
        var options = new MapOptions { BatchSize = 5 };

        var refused = await Should.ThrowAsync<FuncXException>(async () =>
            await client.MapAsync<string, string>(function, endpoint, Enumerable.Range(0, 20).Select(static number => number == 12 ? new string('x', 200) : "y"), options, cancellation: Token).ToListAsync(Token));

        // Which calls went with it depends on how many were there when the first batch left.
        refused.Kind.ShouldBe(FuncXErrorKind.Refused);
        var (first, count) = refused.Calls.ShouldNotBeNull();
        count.ShouldBeInRange(1, 5);
        first.ShouldBeInRange(13 - count, 12);
    }

    [Fact]
    public async Task Bytes_travel_as_they_are_and_only_where_they_were_said_to()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        var octets = new MapOptions { Octets = true };
        byte[][] bodies = [[.. "1"u8], [.. "22"u8]];

        await client.MapResultsAsync<CallArguments, RawResult>(function, endpoint, bodies.Select(static body => CallArguments.FromOctets(body)), octets, cancellation: Token).ToListAsync(Token);
        await client.SubmitAllAsync(function, endpoint, new[] { CallArguments.FromOctets(bodies[0]), CallArguments.FromOctets(bodies[1]), CallArguments.Of(3) }.ToAsyncEnumerable(), "all", cancellation: Token);

        // However many messages they came in.
        service.State.Submissions.SelectMany(static request => Bodies(request).Select(body => (request.ContentType, body)))
            .ShouldBe([((uint)ContentType.Octets, "1"), ((uint)ContentType.Octets, "22"), ((uint)ContentType.Octets, "1"), ((uint)ContentType.Octets, "22"), ((uint)ContentType.Json, "[3]")], ignoreOrder: true);
        await Should.ThrowAsync<ArgumentException>(async () => await client.MapAsync<CallArguments, RawResult>(function, endpoint, [CallArguments.Of(1)], octets, cancellation: Token).ToListAsync(Token));
        await Should.ThrowAsync<ArgumentException>(async () => await client.MapAsync<CallArguments, RawResult>(function, endpoint, [CallArguments.FromOctets(bodies[0])], cancellation: Token).ToListAsync(Token));
        Should.Throw<ArgumentException>(() => client.MapAsync<int, RawResult>(function, endpoint, [1], octets, cancellation: Token));
        await Should.ThrowAsync<ArgumentException>(() => client.CallAsync<int>(function, endpoint, CallArguments.FromOctets(bodies[0]), cancellation: Token));
        Should.Throw<InvalidOperationException>(() => CallArguments.FromOctets(default).With("name", 1));

        static IEnumerable<string> Bodies(Contracts.V1.SubmitRequest request)
        {
            var at = 0;
            foreach (var length in request.Lengths)
            {
                yield return request.Bodies.ToStringUtf8().Substring(at, (int)length);
                at += (int)length;
            }
        }
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
