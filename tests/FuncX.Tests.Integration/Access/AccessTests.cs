using FuncX.Tests.Integration.Harness;
using Grpc.Core;

namespace FuncX.Tests.Integration.Access;

[Trait(Beside.Name, Beside.Scenarios)]
public sealed class AccessTests
{
    [Fact]
    public Task Nobody_sees_uses_or_cancels_what_belongs_to_another() => Scenario.SharingAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync(Python.Square, "square");
        var batches = await cluster.SubmitRangeAsync(function, "mine", 10);
        await cluster.Api.WaitAsync("mine", 10);
        var task = new TaskId(batches[0], 0).ToString();
        using var other = new ServiceApi(cluster.Service.Address, await cluster.Service.CreateTokenAsync("mallory"));
        var unknownTask = new TaskId(ServiceApi.NewBatch(), 0).ToString();
        var unknownEndpoint = Guid.NewGuid().ToString();

        // A foreign id answers exactly like an unknown one, but for the id itself.
        await SameAsync(
            id => other.Tasks.GetAsync(new GetTaskRequest { TaskId = id }, other.Headers).ResponseAsync, task, unknownTask);
        await SameAsync(
            id => other.Endpoints.GetAsync(new GetEndpointRequest { Endpoint = id }, other.Headers).ResponseAsync, cluster.EndpointId, unknownEndpoint);
        await SameAsync(
            id => other.Functions.GetAsync(new GetFunctionRequest { Function = id }, other.Headers).ResponseAsync, function, new string('0', 64));
        await SameAsync(
            id => other.Tasks.GetGroupAsync(new GetGroupRequest { Group = id }, other.Headers).ResponseAsync, "mine", "none");
        await SameAsync(
            id => other.Tasks.CancelAsync(new CancelRequest { TaskIds = { id } }, other.Headers).ResponseAsync, task, unknownTask);
        await SameAsync(
            id => other.Tasks.CancelAsync(new CancelRequest { Group = id }, other.Headers).ResponseAsync, "mine", "none");
        await SameAsync(id => FirstResultAsync(other, id), "mine", "none");
        foreach (var group in new[] { "mine", "none" })
            (await other.Tasks.ListAsync(new ListTasksRequest { Group = group }, other.Headers)).ShouldBe(new ListTasksReply());
        await SameAsync(
            id => other.Tasks.SubmitAsync(ServiceApi.Request(function, id, "g", ["[1]"]), other.Headers).ResponseAsync, cluster.EndpointId, unknownEndpoint);
        (await other.Endpoints.ListAsync(new ListEndpointsRequest(), other.Headers)).Endpoints.ShouldBeEmpty();
        (await other.Functions.ListAsync(new ListFunctionsRequest(), other.Headers)).Functions.ShouldBeEmpty();

        // The same batch id of another user is another batch.
        var theirs = await other.RegisterAsync(Python.Square, "square");
        theirs.ShouldBe(function);
        var refused = await Should.ThrowAsync<RpcException>(async () => await other.Tasks.SubmitAsync(
            ServiceApi.Request(theirs, cluster.EndpointId, "g", ["[1]"], null, batches[0]), other.Headers));
        refused.StatusCode.ShouldBe(StatusCode.NotFound);
        (await cluster.Api.GroupAsync("mine")).Done.ShouldBe(10);
    });

    [LongFact]
    public Task A_second_users_endpoint_runs_their_tasks_and_cancels_them() => Scenario.SharingAsync(async cluster =>
    {
        var token = await cluster.Service.CreateTokenAsync("second");
        var tokenFile = Path.Combine(cluster.DirectoryPath, "second.token");
        await File.WriteAllTextAsync(tokenFile, token);
        File.SetUnixFileMode(tokenFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var second = new ServiceApi(cluster.Service.Address, token);
        await using var endpoint = cluster.CreateEndpoint(new EndpointOptions { Name = "second" }, tokenFile);
        await endpoint.StartAsync();
        var square = await second.RegisterAsync(Python.Square, "square");
        var nap = await second.RegisterAsync(Python.Nap, "nap");

        await second.SubmitAsync(ServiceApi.Request(square, endpoint.EndpointId, "run", Enumerable.Range(0, 500).Select(static i => $"[{i}]")));
        (await second.WaitAsync("run", 500)).ShouldAllBe(static result => result.Value.Text == $"{(result.Key.Index * result.Key.Index) + 7}");
        await second.SubmitAsync(ServiceApi.Request(nap, endpoint.EndpointId, "cancel", Enumerable.Repeat("[60, 1]", 10)));
        await second.Tasks.CancelAsync(new CancelRequest { Group = "cancel" }, second.Headers);

        (await second.WaitAsync("cancel", 10)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Cancelled);
        (await endpoint.StopAsync()).ShouldBe(0, endpoint.Tail);
    });

    [Fact]
    public Task Missing_wrong_and_misused_tokens_are_refused() => Scenario.SharingAsync(async cluster =>
    {
        foreach (var token in new[] { "", "fxt_wrong", new string('x', 5_000), "fxe_wrong" })
        {
            using var stranger = new ServiceApi(cluster.Service.Address, token);
            (await Should.ThrowAsync<RpcException>(async () => await stranger.Endpoints.ListAsync(new ListEndpointsRequest(), stranger.Headers)))
                .StatusCode.ShouldBe(StatusCode.Unauthenticated);
        }

        (await Should.ThrowAsync<RpcException>(async () => await cluster.Api.Endpoints.ListAsync(new ListEndpointsRequest()))).StatusCode.ShouldBe(StatusCode.Unauthenticated);

        // An endpoint's credential opens its link and nothing else; a user's token does not open a link.
        var registered = await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "other" }, cluster.Api.Headers);
        using var endpoint = new ServiceApi(cluster.Service.Address, registered.Credential);
        (await Should.ThrowAsync<RpcException>(async () => await endpoint.Endpoints.ListAsync(new ListEndpointsRequest(), endpoint.Headers)))
            .StatusCode.ShouldBe(StatusCode.PermissionDenied);
        using var link = cluster.Api.Link.Connect(cluster.Api.Headers);
        (await Should.ThrowAsync<RpcException>(async () => await link.ResponseStream.MoveNext(CancellationToken.None))).StatusCode.ShouldBe(StatusCode.PermissionDenied);
        using var foreign = endpoint.Link.Connect(endpoint.Headers);
        (await Should.ThrowAsync<RpcException>(async () =>
        {
            await foreign.RequestStream.WriteAsync(new EndpointMessage
            {
                Hello = new EndpointHello { Version = "test", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = cluster.EndpointId, Instance = "x" },
            });
            await foreign.ResponseStream.MoveNext(CancellationToken.None);
        })).StatusCode.ShouldBeOneOf(StatusCode.PermissionDenied, StatusCode.NotFound);
    });

    [Fact]
    public Task A_deleted_endpoint_takes_no_tasks_and_those_it_had_end_as_cancelled() => Scenario.SharingAsync(async cluster =>
    {
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        var endpoint = cluster.EndpointId;
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, endpoint, "doomed", Enumerable.Repeat("[30, 1]", 10)));
        await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(endpoint)).Status?.WorkersBusy > 0, "a task runs");

        await cluster.Api.Endpoints.DeleteAsync(new DeleteEndpointRequest { EndpointId = endpoint }, cluster.Api.Headers);

        (await cluster.Api.WaitAsync("doomed", 10)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Cancelled);
        (await Should.ThrowAsync<RpcException>(async () => await cluster.Api.Tasks.SubmitAsync(
            ServiceApi.Request(nap, endpoint, "late", ["[0, 1]"]), cluster.Api.Headers))).StatusCode.ShouldBe(StatusCode.NotFound);
        await cluster.NoteSaysAsync("the service refuses this endpoint");
    });

    [Fact]
    public Task Secrets_are_in_no_argument_list_no_users_environment_and_no_readable_file() => Scenario.RunAsync(async cluster =>
    {
        var function = await cluster.Api.RegisterAsync("import os\ndef env():\n    return dict(os.environ)\n", "env");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "env", ["[]"]));
        var environment = (await cluster.Api.WaitAsync("env", 1)).Values.Single().Text;
        var secrets = new List<string> { (await File.ReadAllTextAsync(cluster.TokenFile)).Trim() };
        foreach (var file in new[] { "identity.json" }.Concat(Directory.GetFiles(cluster.Endpoint.StateDirectory, "rendezvous.json", SearchOption.AllDirectories)))
        {
            using var json = System.Text.Json.JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(cluster.Endpoint.StateDirectory, file)));
            secrets.AddRange(json.RootElement.EnumerateObject().Where(static field => field.Name is "credential" or "secret").Select(static field => field.Value.GetString()!));
        }

        secrets.Count.ShouldBeGreaterThanOrEqualTo(3);
        foreach (var secret in secrets)
        {
            environment.ShouldNotContain(secret);
            foreach (var process in ProcessTable.Mentioning(cluster.DirectoryPath))
                string.Join(' ', process.Arguments).ShouldNotContain(secret);
            foreach (var log in Directory.EnumerateFiles(cluster.DirectoryPath, "*.log", SearchOption.AllDirectories))
                Read(log).ShouldNotContain(secret, customMessage: log);
        }

        foreach (var file in Directory.EnumerateFiles(cluster.Endpoint.StateDirectory, "*", SearchOption.AllDirectories))
        {
            if (secrets.Exists(secret => Read(file).Contains(secret, StringComparison.Ordinal)))
                File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite, file);
        }
    });

    private static async Task<bool> FirstResultAsync(ServiceApi api, string group)
    {
        using var results = api.Tasks.Results(new ResultsRequest { Group = group }, api.Headers);
        return await results.ResponseStream.MoveNext(CancellationToken.None);
    }

    private static async Task SameAsync<T>(Func<string, Task<T>> call, string foreign, string unknown)
    {
        var first = await Should.ThrowAsync<RpcException>(() => call(foreign));
        var second = await Should.ThrowAsync<RpcException>(() => call(unknown));
        first.StatusCode.ShouldBe(StatusCode.NotFound, first.Status.Detail);
        second.StatusCode.ShouldBe(StatusCode.NotFound, second.Status.Detail);
        first.Status.Detail.Replace(foreign, "ID", StringComparison.Ordinal).ShouldBe(second.Status.Detail.Replace(unknown, "ID", StringComparison.Ordinal));
    }

    private static string Read(string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
        catch (IOException)
        {
            // A socket.
            return "";
        }
    }
}
