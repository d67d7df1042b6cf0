using System.Net;
using FuncX.Client;
using FuncX.Contracts;
using FuncX.Tests.Client.Fake;
using FuncX.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

public sealed class ClientCallTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_single_call_travels_alone_and_its_value_is_typed()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();

        var handle = await client.SubmitAsync<int, int>(function, endpoint, 42, cancellation: Token);
        await handle.Accepted;

        (await handle).ShouldBe(42);
        (await handle).ShouldBe(42);
        handle.IsCompleted.ShouldBeTrue();
        service.State.Submissions.ShouldHaveSingleItem().Lengths.ShouldHaveSingleItem();
        service.State.Find(handle.Id.ToString()).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_thousand_concurrent_calls_share_messages()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();

        var values = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(number => client.CallAsync<int, int>(function, endpoint, number, cancellation: Token)));

        values.ShouldBe(Enumerable.Range(0, 1_000));
        service.State.Submissions.Count.ShouldBeLessThan(500);
        service.State.Submissions[0].Lengths.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Many_calls_are_accepted_when_the_method_returns(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });

        var handles = await client.SubmitManyAsync<int, int>(function, endpoint, Enumerable.Range(0, 2_500), cancellation: Token);

        service.State.Submissions.Sum(request => request.Lengths.Count).ShouldBe(2_500);
        service.State.Submissions.Count.ShouldBe(3);
        for (var index = 0; index < handles.Length; index++)
            (await handles[index]).ShouldBe(index);
    }

    [Fact]
    public async Task Arguments_go_by_position_by_name_and_as_json()
    {
        await using var service = await FakeService.StartAsync();
        var function = service.State.AddFunction("echo", arguments => (TaskOutcome.Value, System.Text.Json.JsonSerializer.Serialize(arguments)));
        var endpoint = service.State.AddEndpoint("lab");
        await using var client = service.Client();

        (await client.CallAsync<string>(function, endpoint, CallArguments.Of(1, "two", null), cancellation: Token)).ShouldBe("""[1,"two",null]""");
        (await client.CallAsync<string>(function, endpoint, CallArguments.Of(1).With("k", true), cancellation: Token)).ShouldBe("""{"args":[1],"kwargs":{"k":true}}""");
        (await client.CallAsync<string>(function, endpoint, CallArguments.FromJson("[3]"u8.ToArray()), cancellation: Token)).ShouldBe("[3]");
        (await client.CallAsync<string>(function, endpoint, CallArguments.None, cancellation: Token)).ShouldBe("[]");
    }

    [Theory]
    [InlineData("")]
    [InlineData("3")]
    [InlineData("[1")]
    [InlineData("[1] [2]")]
    [InlineData("{}")]
    [InlineData("""{"a": 1}""")]
    [InlineData("""{"args": 1}""")]
    [InlineData("""{"kwargs": []}""")]
    public void Json_that_is_no_list_of_arguments_is_refused(string json) =>
        Should.Throw<FormatException>(() => CallArguments.FromJson(System.Text.Encoding.UTF8.GetBytes(json)));

    [Fact]
    public async Task A_remote_exception_is_typed()
    {
        await using var service = await FakeService.StartAsync();
        service.State.Output = "half way\n";
        var function = service.State.AddFunction("fails", _ => (TaskOutcome.Exception, """{"type": "KeyError", "message": "'x'", "traceback": "Traceback: line 3"}"""));
        var endpoint = service.State.AddEndpoint("lab");
        await using var client = service.Client();

        var failure = await Should.ThrowAsync<RemoteTaskException>(() => client.CallAsync<int, int>(function, endpoint, 1, cancellation: Token));

        failure.Kind.ShouldBe(FuncXErrorKind.TaskFailed);
        failure.Type.ShouldBe("KeyError");
        failure.RemoteTraceback.ShouldBe("Traceback: line 3");
        failure.StandardOutput.ShouldBe("half way\n");
        failure.Message.ShouldEndWith("raised KeyError: 'x'");
    }

    [Fact]
    public async Task A_value_of_another_type_says_what_came()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();

        var failure = await Should.ThrowAsync<FuncXException>(() => client.CallAsync<string, int>(function, endpoint, "text", cancellation: Token));

        failure.Kind.ShouldBe(FuncXErrorKind.UnexpectedValue);
        failure.Message.ShouldContain("\"text\"");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refused_call_fails_at_once_with_the_services_reason(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        service.State.Refusal = _ => new Status(StatusCode.ResourceExhausted, "queue of endpoint “lab” is full: 5,000,000 tasks, 100 % of it");
        await using var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });

        var handle = await client.SubmitAsync<int, int>(function, endpoint, 1, cancellation: Token);

        (await Should.ThrowAsync<FuncXException>(() => handle.Accepted)).Kind.ShouldBe(FuncXErrorKind.Refused);
        (await Should.ThrowAsync<FuncXException>(() => handle.AsTask())).Message.ShouldContain("queue of endpoint “lab” is full: 5,000,000 tasks, 100 % of it");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_unknown_function_is_not_found(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var endpoint = service.State.AddEndpoint("lab");
        await using var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });

        var failure = await Should.ThrowAsync<FuncXException>(() => client.CallAsync<int, int>(new FunctionId("0123"), endpoint, 1, cancellation: Token));

        failure.Kind.ShouldBe(FuncXErrorKind.NotFound);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wrong_token_is_not_authorised(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = new FuncXClient(service.Address, "fxt_wrong", new FuncXClientOptions { UnarySubmission = unary });

        (await Should.ThrowAsync<FuncXException>(() => client.CallAsync<int, int>(function, endpoint, 1, cancellation: Token))).Kind.ShouldBe(FuncXErrorKind.NotAuthorised);
        (await Should.ThrowAsync<FuncXException>(() => client.Functions.ListAsync(cancellation: Token))).Kind.ShouldBe(FuncXErrorKind.NotAuthorised);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_service_that_is_not_there_is_unreachable_within_the_time_given(bool unary)
    {
        await using var client = new FuncXClient(new Uri("http://127.0.0.1:1"), "t", new FuncXClientOptions { ConnectTimeout = TimeSpan.FromMilliseconds(100), UnarySubmission = unary });

        (await Should.ThrowAsync<FuncXException>(() => client.Endpoints.ListAsync(Token))).Kind.ShouldBe(FuncXErrorKind.Unreachable);
        (await Should.ThrowAsync<FuncXException>(() => client.CallAsync<int, int>(new FunctionId("f"), new EndpointId("e"), 1, cancellation: Token))).Kind.ShouldBe(FuncXErrorKind.Unreachable);
    }

    [Fact]
    public async Task What_answers_a_call_but_is_no_service_is_told_of()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        await using var other = builder.Build();
        other.Run(context => context.Response.WriteAsync(new string('x', 10_000), Token));
        await other.StartAsync(Token);
        await using var client = new FuncXClient(
            new Uri(other.Urls.First()), "t", new FuncXClientOptions { RetryFor = TimeSpan.FromMilliseconds(100), UnarySubmission = true });

        var failure = await Should.ThrowAsync<FuncXException>(async () => await (await client.SubmitAsync<int, int>(new FunctionId("f"), new EndpointId("e"), 1, cancellation: Token)).Accepted);

        failure.Message.ShouldContain("Bad gRPC response");
    }

    [Theory]
    [InlineData("http://funcx.example.org")]
    [InlineData("http://10.0.0.1:8000")]
    [InlineData("ftp://127.0.0.1")]
    public void A_token_does_not_travel_in_clear(string address) =>
        Should.Throw<ArgumentException>(() => new FuncXClient(new Uri(address), "t"));

    [Fact]
    public async Task A_stored_login_is_a_client()
    {
        await using var service = await FakeService.StartAsync();
        service.State.AddEndpoint("lab");
        var directory = Directory.CreateTempSubdirectory("funcx-client-tests-").FullName;
        var path = Path.Combine(directory, "credentials.json");
        var address = service.Address.GetLeftPart(UriPartial.Authority);
        new CredentialsFile { Current = address, Tokens = { [address] = FakeService.Token, ["http://127.0.0.1:1"] = "other" } }.Write(path);

        await using (var client = FuncXClient.FromCredentials(path: path))
            (await client.Endpoints.ListAsync(Token)).ShouldHaveSingleItem();
        await using (var client = FuncXClient.FromCredentials("http://127.0.0.1:1/", path))
            client.Address.Port.ShouldBe(1);
        var missing = Should.Throw<FuncXException>(() => FuncXClient.FromCredentials("http://127.0.0.1:2", path));
        var none = Should.Throw<FuncXException>(() => FuncXClient.FromCredentials(path: path + ".none"));

        (missing.Kind, missing.Message).ShouldBe((FuncXErrorKind.NotAuthorised, $"There is no login for http://127.0.0.1:2 in {path}. Run: funcx login http://127.0.0.1:2"));
        (none.Kind, none.Message).ShouldBe((FuncXErrorKind.NotAuthorised, $"There is no login in {path}.none. Run: funcx login ADDRESS"));
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Tasks_of_a_group_are_listed()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client();
        var handles = await client.SubmitManyAsync<int, int>(function, endpoint, [1, 2], cancellation: Token);

        var tasks = await client.Tasks.ListAsync(client.Group, cancellation: Token).ToListAsync(Token);

        tasks.Select(task => task.TaskId).ShouldBe(handles.Select(handle => handle.Id.ToString()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(4_294_967_296)]
    public async Task A_walltime_that_cannot_be_told_to_the_service_is_refused_with_the_range(long milliseconds)
    {
        await using var service = await FakeService.StartAsync();
        await using var client = service.Client();

        var failure = await Should.ThrowAsync<ArgumentOutOfRangeException>(async () => await client.SubmitAsync<int, int>(
            new FunctionId("f"), new EndpointId("e"), 1, new CallSettings { Walltime = TimeSpan.FromMilliseconds(milliseconds) }, cancellation: Token));

        failure.Message.ShouldStartWith("A walltime is 1 ms to 49.17:02:47.2950000 (the service counts milliseconds in 32 bits).");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Calls_survive_a_restart_of_the_service(bool unary)
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        await using var client = service.Client(new FuncXClientOptions { UnarySubmission = unary });
        (await client.CallAsync<int, int>(function, endpoint, 1, cancellation: Token)).ShouldBe(1);

        await service.StopAsync();
        var calls = Enumerable.Range(0, 100).Select(number => client.CallAsync<int, int>(function, endpoint, number, cancellation: Token)).ToList();
        await service.RestartAsync(TimeSpan.FromMilliseconds(20));

        (await Task.WhenAll(calls)).ShouldBe(Enumerable.Range(0, 100));
    }

    [Fact]
    public async Task A_disposed_client_fails_what_is_outstanding()
    {
        await using var service = await FakeService.StartAsync();
        var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
        service.State.Holding = true;
        var client = service.Client();
        var handle = await client.SubmitAsync<int, int>(function, endpoint, 1, cancellation: Token);
        await handle.Accepted;

        await client.DisposeAsync();
        await client.DisposeAsync();

        (await Should.ThrowAsync<FuncXException>(() => handle.AsTask())).Message.ShouldContain(client.Group);
    }
}
