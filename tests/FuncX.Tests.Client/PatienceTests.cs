using System.Threading.Channels;
using FuncX.Client;
using FuncX.Tests.Client.Fake;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>How long a client goes on without its service: counted from when it was lost, and not from when somebody began to wait.</summary>
public sealed class PatienceTests
{
    private static readonly FuncXClientOptions Patient = new() { RetryFor = TimeSpan.FromMinutes(2) };

    // What takes a moment, on a machine that is busy.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(60);

    private readonly HurriedTime _time = new();
    private readonly Channel<Task> _opened = Channel.CreateUnbounded<Task>();

    /// <summary>What the client is asked for.</summary>
    private Task _outcome = Task.Delay(Timeout.Infinite, Token);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_outlives_silences_longer_than_the_patience()
    {
        await using var service = await HoldingAsync();
        await using var client = service.Client(Patient, _time);
        var (function, endpoint) = (service.State.Functions[0], service.State.Endpoints[0]);

        var value = client.CallAsync<int, int>(function, endpoint, 7, cancellation: Token);
        _outcome = value;
        await EndSilencesAsync(service, 3);
        service.State.Release();

        (await value).ShouldBe(7);
    }

    [Fact]
    public async Task A_map_outlives_silences_longer_than_the_patience()
    {
        await using var service = await HoldingAsync();
        await using var client = service.Client(Patient, _time);
        var (function, endpoint) = (service.State.Functions[0], service.State.Endpoints[0]);

        var values = client.MapAsync<int, int>(function, endpoint, Enumerable.Range(0, 10), cancellation: Token).ToListAsync(Token).AsTask();
        _outcome = values;
        await EndSilencesAsync(service, 3);
        service.State.Release();

        (await values).ShouldBe(Enumerable.Range(0, 10));
    }

    [Fact]
    public async Task Reading_a_group_outlives_silences_longer_than_the_patience()
    {
        await using var service = await HoldingAsync();
        service.State.ResultStreamOpens = null;
        await using (var submitter = service.Client(Patient with { Group = "slow" }))
            await (await submitter.SubmitAsync<int, int>(service.State.Functions[0], service.State.Endpoints[0], 7, cancellation: Token)).Accepted;
        Arm(service);
        await using var client = service.Client(Patient, _time);
        (await client.Tasks.GetGroupAsync("slow", Token)).Queued.ShouldBe(1);

        var results = client.Tasks.ResultsAsync("slow", cancellation: Token).ToListAsync(Token).AsTask();
        _outcome = results;
        await EndSilencesAsync(service, 3);
        service.State.Release();

        (await results).ShouldHaveSingleItem().Failure.ShouldBeNull();
    }

    [Fact]
    public async Task A_service_that_stays_away_is_given_up_when_the_patience_is_over()
    {
        await using var service = await HoldingAsync();
        await using var client = service.Client(Patient, _time);
        var value = client.CallAsync<int, int>(service.State.Functions[0], service.State.Endpoints[0], 7, cancellation: Token);
        _outcome = value;
        await EndSilencesAsync(service, 1);
        await OpenedAsync();
        _time.Advance(TimeSpan.FromMinutes(10));
        var lost = _time.GetUtcNow();

        await service.StopAsync();
        var failure = await Should.ThrowAsync<FuncXException>(() => value);

        failure.Kind.ShouldBe(FuncXErrorKind.Unreachable);
        (_time.GetUtcNow() - lost).ShouldBeInRange(TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(2.1));
    }

    [Fact]
    public async Task Without_a_limit_a_client_waits_for_its_service_for_ever()
    {
        await using var service = await HoldingAsync();
        await using var client = service.Client(Patient with { RetryFor = Timeout.InfiniteTimeSpan }, _time);
        var value = client.CallAsync<int, int>(service.State.Functions[0], service.State.Endpoints[0], 7, cancellation: Token);
        await OpenedAsync();
        _time.Advance(TimeSpan.FromMinutes(10));
        var lost = _time.GetUtcNow();

        await service.StopAsync();
        while (_time.GetUtcNow() - lost < TimeSpan.FromMinutes(6) && !value.IsCompleted)
            await Task.WhenAny(_time.NextLook(), value).WaitAsync(Moment, Token);
        await service.RestartAsync(TimeSpan.Zero);
        service.State.Release();

        (await value).ShouldBe(7);
    }

    [Fact]
    public async Task A_service_that_was_never_reached_is_given_up_after_the_time_to_connect()
    {
        await using var client = new FuncXClient(new Uri("http://127.0.0.1:1"), FakeService.Token, new FuncXClientOptions { ConnectTimeout = TimeSpan.FromSeconds(30) }, _time);
        var begun = _time.GetUtcNow();

        (await Should.ThrowAsync<FuncXException>(() => client.Endpoints.ListAsync(Token))).Kind.ShouldBe(FuncXErrorKind.Unreachable);

        (_time.GetUtcNow() - begun).ShouldBeInRange(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(32));
    }

    private async Task<FakeService> HoldingAsync()
    {
        var service = await FakeService.StartAsync();
        service.State.AddFunction("same");
        service.State.AddEndpoint("lab");
        service.State.Holding = true;
        Arm(service);
        return service;
    }

    private void Arm(FakeService service) => service.State.ResultStreamOpens = async () =>
    {
        // A stream of submissions measures time too when it begins: after the first answer it is at rest.
        await service.State.AcceptedAsync(1);
        _opened.Writer.TryWrite(_time.NextLook());
    };

    /// <summary>Waits until the client has a stream of results open, and knows it.</summary>
    private async Task OpenedAsync()
    {
        var opened = _opened.Reader.ReadAsync(Token).AsTask();
        // A client that has given up opens no more streams, and says why.
        if (await Task.WhenAny(opened, _outcome).WaitAsync(Moment, Token) == _outcome)
            await _outcome;
        var seen = await opened;
        await seen.WaitAsync(Moment, Token);
    }

    private async Task EndSilencesAsync(FakeService service, int times)
    {
        for (var time = 0; time < times; time++)
        {
            await OpenedAsync();
            _time.Advance(TimeSpan.FromMinutes(10));
            service.State.CutResults();
        }
    }
}
