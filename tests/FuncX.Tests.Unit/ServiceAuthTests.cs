using System.Diagnostics;
using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Service.Registry;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1Alpha;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

public sealed class ServiceAuthTests
{
    [Fact]
    public async Task The_first_start_writes_a_token_that_works_into_a_file_of_the_owner_alone()
    {
        await using var running = await RunningService.StartAsync();
        File.GetUnixFileMode(Path.Combine(running.Directory, "admin.token")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        running.AdminToken.ShouldStartWith("fxt_");
        running.Functions.List(new ListFunctionsRequest(), RunningService.Bearer(running.AdminToken)).Functions.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_second_start_keeps_the_token_of_the_first()
    {
        var directory = RunningService.NewDirectory();
        string first;
        await using (var running = await RunningService.StartAsync(directory: directory))
            first = running.AdminToken;
        await using (var running = await RunningService.StartAsync(directory: directory))
        {
            running.AdminToken.ShouldBe(first);
            running.Functions.List(new ListFunctionsRequest(), RunningService.Bearer(first)).Functions.ShouldBeEmpty();
        }

        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task No_file_of_the_data_directory_contains_a_token_but_the_one_for_the_administrator()
    {
        await using var running = await RunningService.StartAsync();
        var (text, _) = running.CreateToken("ann");
        var credential = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, RunningService.Bearer(text)).Credential;
        foreach (var path in Directory.EnumerateFiles(running.Directory))
        {
            if (Path.GetFileName(path) is "lock" or "admin.token")
                continue;
            var content = File.ReadAllBytes(path).AsSpan();
            content.IndexOf(System.Text.Encoding.ASCII.GetBytes(text[4..])).ShouldBe(-1, path);
            content.IndexOf(System.Text.Encoding.ASCII.GetBytes(credential[4..])).ShouldBe(-1, path);
            content.IndexOf(System.Text.Encoding.ASCII.GetBytes(running.AdminToken[4..])).ShouldBe(-1, path);
        }
    }

    [Fact]
    public async Task Missing_malformed_unknown_expired_and_revoked_tokens_are_refused_in_different_words()
    {
        await using var running = await RunningService.StartAsync();
        var (expired, _) = running.CreateToken("ann", TimeSpan.FromMilliseconds(1));
        var (revoked, id) = running.CreateToken("ann");
        running.Revoke(id);
        await Task.Delay(5, TestContext.Current.CancellationToken);
        var messages = new[]
        {
            Refused(running, []),
            Refused(running, new Metadata { { "authorization", "Basic YTpi" } }),
            Refused(running, RunningService.Bearer("secret")),
            Refused(running, RunningService.Bearer(TokenText.Create(TokenText.UserPrefix))),
            Refused(running, RunningService.Bearer(expired)),
            Refused(running, RunningService.Bearer(revoked)),
        };
        messages.Distinct(StringComparer.Ordinal).Count().ShouldBe(messages.Length);
        foreach (var message in messages)
        {
            message.ShouldNotContain(expired);
            message.ShouldNotContain(revoked);
        }

        messages[4].ShouldContain("expired");
        messages[5].ShouldContain("by a test");
    }

    [Fact]
    public async Task Whatever_stands_in_the_authorization_metadata_is_refused_as_unauthenticated()
    {
        await using var running = await RunningService.StartAsync();
        var random = new Random(7);
        for (var i = 0; i < 500; i++)
        {
            var value = string.Create(random.Next(12, 100), random, static (span, random) =>
            {
                for (var at = 0; at < span.Length; at++)
                    span[at] = (char)random.Next('!', '~');
            });
            Refused(running, new Metadata { { "authorization", random.Next(2) == 0 ? value : $"Bearer fxt_{value}" } }).ShouldNotContain(value);
        }
    }

    [Fact]
    public async Task A_large_request_without_a_token_is_answered_and_not_reset()
    {
        await using var running = await RunningService.StartAsync();
        for (var i = 0; i < 20; i++)
        {
            var problem = Should.Throw<RpcException>(() => running.RegisterFunction("none", code: new string('#', 5_000_000)));
            problem.StatusCode.ShouldBe(StatusCode.Unauthenticated);
        }
    }

    [Fact]
    public async Task A_token_made_while_the_service_runs_works_at_once_and_dies_within_half_a_second_of_its_revocation()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var running = await RunningService.StartAsync(clock: clock);
        var (text, id) = running.CreateToken("ann");
        running.RegisterFunction(text);
        var caller = running.Get<Authenticator>().Authenticate($"Bearer {text}", out _)!.Caller;
        var ended = new TaskCompletionSource();
        using var registration = caller.Revoked.Register(ended.SetResult);
        await running.WatchesByAsync(clock);
        running.Revoke(id);
        clock.Advance(TimeSpan.FromMilliseconds(500));
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        caller.RevokedMessage.ShouldBe($"the token {id} was revoked: by a test.");
        Refused(running, RunningService.Bearer(text)).ShouldContain("revoked");
    }

    [Fact]
    public async Task The_passing_of_its_time_cancels_the_caller_of_a_token()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var running = await RunningService.StartAsync(clock: clock);
        var (text, _) = running.CreateToken("ann", TimeSpan.FromHours(20));
        var caller = running.Get<Authenticator>().Authenticate($"Bearer {text}", out _)!.Caller;
        var ended = new TaskCompletionSource();
        using var registration = caller.Revoked.Register(ended.SetResult);
        clock.Advance(TimeSpan.FromHours(10));
        await running.WatchesByAsync(clock);
        caller.Revoked.IsCancellationRequested.ShouldBeFalse();
        clock.Advance(TimeSpan.FromHours(11));
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        caller.RevokedMessage.ShouldContain("expired");
    }

    [Fact]
    public async Task An_endpoints_credential_is_refused_wherever_a_users_token_is_wanted()
    {
        await using var running = await RunningService.StartAsync();
        var credential = running.Endpoints.Register(new RegisterEndpointRequest { Name = "here" }, RunningService.Bearer(running.AdminToken)).Credential;
        var problem = Should.Throw<RpcException>(() => running.Functions.List(new ListFunctionsRequest(), RunningService.Bearer(credential)));
        problem.StatusCode.ShouldBe(StatusCode.PermissionDenied);
        problem.Status.Detail.ShouldContain("fxt_");
    }

    [Fact]
    public async Task Health_and_reflection_need_no_token()
    {
        await using var running = await RunningService.StartAsync();
        new Health.HealthClient(running.Channel).Check(new HealthCheckRequest()).Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.Serving);
        using var call = new ServerReflection.ServerReflectionClient(running.Channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, TestContext.Current.CancellationToken);
        (await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken)).ShouldBeTrue();
        call.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name).ShouldContain("funcx.v1.Functions");
    }

    [Fact]
    public async Task More_calls_than_allowed_in_a_second_are_refused_by_the_name_of_the_limit()
    {
        await using var running = await RunningService.StartAsync(new ServiceLimits { RequestsPerSecond = 20 });
        var refused = Enumerable.Range(0, 200).Select(_ => StatusOfList(running)).Where(status => status is not null).ToArray();
        refused.ShouldNotBeEmpty();
        refused[0]!.Value.StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        refused[0]!.Value.Detail.ShouldContain("requests_per_second");
    }

    [Fact]
    public void A_users_calls_pay_for_a_second_in_advance_and_no_further()
    {
        var usage = new OwnerUsage(new ServiceLimits { RequestsPerSecond = 10 });
        const long Now = 1_000_000_000_000;
        Enumerable.Range(0, 100).Count(_ => usage.TryTakeRequest(Now)).ShouldBe(10);
        usage.TryTakeRequest(Now + (Stopwatch.Frequency / 20)).ShouldBeFalse();
        usage.TryTakeRequest(Now + (Stopwatch.Frequency / 10)).ShouldBeTrue();
        Enumerable.Range(0, 100).Count(_ => usage.TryTakeRequest(Now + (10 * Stopwatch.Frequency))).ShouldBe(10);
    }

    [Fact]
    public void A_user_opens_as_many_streams_as_allowed()
    {
        var usage = new OwnerUsage(new ServiceLimits { StreamsPerUser = 2 });
        usage.TryOpenStream().ShouldBeTrue();
        usage.TryOpenStream().ShouldBeTrue();
        usage.TryOpenStream().ShouldBeFalse();
        usage.CloseStream();
        usage.TryOpenStream().ShouldBeTrue();
        usage.OpenStreams.ShouldBe(2);
    }

    [Fact]
    public void A_known_token_is_proved_without_an_allocation()
    {
        using var directory = new ScratchDirectory();
        var store = new TokenStore(RegistryDatabase.Open(directory.Path), TimeProvider.System);
        var text = TokenText.Create(TokenText.UserPrefix);
        store.Create("ann", "", lifetime: null, text);
        var authenticator = new Authenticator(store, new ServiceLimits(), TimeProvider.System);
        var header = $"Bearer {text}";
        authenticator.Authenticate(header, out _).ShouldNotBeNull();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
            authenticator.Authenticate(header, out _);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public void Sessions_beyond_the_bound_make_room_but_not_those_with_open_streams()
    {
        using var directory = new ScratchDirectory();
        var database = RegistryDatabase.Open(directory.Path);
        var store = new TokenStore(database, TimeProvider.System);
        var authenticator = new Authenticator(store, new ServiceLimits(), TimeProvider.System, mostSessions: 20);
        var first = Authenticated(store, authenticator);
        first.OpenStream();
        var others = Enumerable.Range(0, 200).Select(_ => Authenticated(store, authenticator)).ToList();
        first.Forgotten.ShouldBeFalse();
        // Which of them go is nobody's promise.
        others.Count(static session => !session.Forgotten).ShouldBeInRange(1, 19);
        authenticator.Sessions.ShouldBeLessThanOrEqualTo(20);
    }

    [Fact]
    public void A_token_expires_by_the_services_clock()
    {
        using var directory = new ScratchDirectory();
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var store = new TokenStore(RegistryDatabase.Open(directory.Path), clock);
        var text = TokenText.Create(TokenText.UserPrefix);
        store.Create("ann", "", TimeSpan.FromHours(1), text);
        var authenticator = new Authenticator(store, new ServiceLimits(), clock);
        clock.Advance(TimeSpan.FromMinutes(59));
        authenticator.Authenticate($"Bearer {text}", out _).ShouldNotBeNull();
        clock.Advance(TimeSpan.FromMinutes(1));
        authenticator.Authenticate($"Bearer {text}", out var refusal).ShouldBeNull();
        refusal.ShouldContain("expired at 2026-01-01T01:00:00Z");
    }

    [Fact]
    public void Last_use_is_written_for_the_tokens_that_were_used()
    {
        using var directory = new ScratchDirectory();
        var store = new TokenStore(RegistryDatabase.Open(directory.Path), TimeProvider.System);
        var text = TokenText.Create(TokenText.UserPrefix);
        var used = store.Create("ann", "used", lifetime: null, text).Id;
        store.Create("ann", "idle", lifetime: null, TokenText.Create(TokenText.UserPrefix));
        var authenticator = new Authenticator(store, new ServiceLimits(), TimeProvider.System);
        authenticator.Authenticate($"Bearer {text}", out _).ShouldNotBeNull();
        store.TouchLastUsed(authenticator.TakeUsed());
        authenticator.TakeUsed().ShouldBeEmpty();
        store.List().Single(token => token.LastUsedAt is not null).Id.ShouldBe(used);
    }

    private static Session Authenticated(TokenStore store, Authenticator authenticator)
    {
        var text = TokenText.Create(TokenText.UserPrefix);
        store.Create("ann", "", lifetime: null, text);
        return authenticator.Authenticate($"Bearer {text}", out _).ShouldNotBeNull();
    }

    private static Status? StatusOfList(RunningService running)
    {
        try
        {
            running.Functions.List(new ListFunctionsRequest(), RunningService.Bearer(running.AdminToken));
            return null;
        }
        catch (RpcException problem)
        {
            return problem.Status;
        }
    }

    private static string Refused(RunningService running, Metadata headers)
    {
        var problem = Should.Throw<RpcException>(() => running.Functions.List(new ListFunctionsRequest(), headers));
        problem.StatusCode.ShouldBe(StatusCode.Unauthenticated);
        return problem.Status.Detail;
    }
}
