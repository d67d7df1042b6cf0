using System.Globalization;
using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;
using Grpc.Core;
using Microsoft.Data.Sqlite;

namespace FuncX.Tests.Integration.Faults;

/// <summary>
/// The service dies by SIGKILL before or after a commit that is no submission and no result, and is started again. Before it nothing of what was asked for is so,
/// after it all of it, though nobody was told; asked for again it is so in either case, and what was acknowledged earlier holds.
/// </summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class CommitFailPointTests
{
    private const string Offline = "offline";

    [Theory]
    [LongData("before-commit-register-function", 1)]
    [LongData("after-commit-register-function", 2)]
    public Task A_registration_of_a_function_is_there_or_not(string point, int registered) => ServiceAsync($"{point}:2", async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");

        await DiesAsync(cluster, () => cluster.Api.RegisterAsync(Python.Nap, "nap"));

        (await FunctionsAsync(cluster)).Count.ShouldBe(registered);
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        (await FunctionsAsync(cluster)).ShouldBe([nap, square], ignoreOrder: true);
        (await cluster.Api.Functions.GetAsync(new GetFunctionRequest { Function = nap, IncludeCode = true }, cluster.Api.Headers)).Code.ToStringUtf8().ShouldBe(Python.Nap);
    });

    [Theory]
    [LongData("before-commit-register-container", 1)]
    [LongData("after-commit-register-container", 2)]
    public Task A_registration_of_a_container_is_there_or_not(string point, int registered) => ServiceAsync($"{point}:2", async cluster =>
    {
        var first = await RegisterAsync("/images/first.sif");

        await DiesAsync(cluster, () => RegisterAsync("/images/second.sif"));

        (await ContainersAsync()).Count.ShouldBe(registered);
        var second = await RegisterAsync("/images/second.sif");
        (await ContainersAsync()).ShouldBe([second, first], ignoreOrder: true);

        async Task<string> RegisterAsync(string image) =>
            (await cluster.Api.Containers.RegisterAsync(new RegisterContainerRequest { Name = "image", Images = { ["apptainer"] = image } }, cluster.Api.Headers)).ContainerId;

        async Task<List<string>> ContainersAsync() =>
            [.. (await cluster.Api.Containers.ListAsync(new ListContainersRequest(), cluster.Api.Headers)).Containers.Select(static container => container.ContainerId)];
    });

    [Theory]
    [LongData("before-commit-delete-function", false)]
    [LongData("after-commit-delete-function", true)]
    public Task A_deletion_of_a_function_is_made_or_not(string point, bool deleted) => ServiceAsync(point, async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        var endpoint = await RegisterEndpointAsync(cluster, Offline);
        await cluster.Api.SubmitAsync(ServiceApi.Request(square, endpoint, "accepted", ["[1]", "[2]"]));

        await DiesAsync(cluster, () => DeleteAsync());

        (await FunctionsAsync(cluster)).ShouldBe(deleted ? [nap] : [square, nap], ignoreOrder: true);
        if (deleted)
            (await Should.ThrowAsync<RpcException>(DeleteAsync)).StatusCode.ShouldBe(StatusCode.NotFound);
        else
            await DeleteAsync();
        (await FunctionsAsync(cluster)).ShouldBe([nap]);
        // Accepted calls of a deleted function still run.
        await cluster.AddEndpointAsync(new EndpointOptions { Name = Offline });
        (await cluster.Api.WaitAsync("accepted", 2)).Values.Select(static result => result.Text).Order().ShouldBe(["11", "8"]);

        async Task DeleteAsync() => await cluster.Api.Functions.DeleteAsync(new DeleteFunctionRequest { FunctionId = square }, cluster.Api.Headers);
    });

    [Theory]
    [LongData("before-commit-register-endpoint", 1)]
    [LongData("after-commit-register-endpoint", 2)]
    public Task A_registration_of_an_endpoint_is_there_with_its_credential_or_not_at_all(string point, int registered) => ServiceAsync($"{point}:2", async cluster =>
    {
        var first = await RegisterEndpointAsync(cluster, "first");

        await DiesAsync(cluster, () => RegisterEndpointAsync(cluster, "second"));

        (await cluster.Api.Endpoints.ListAsync(new ListEndpointsRequest(), cluster.Api.Headers)).Endpoints.Count.ShouldBe(registered);
        (await CredentialsAsync(cluster)).ShouldBe(Enumerable.Repeat((1L, 0L), registered));
        var second = await RegisterEndpointAsync(cluster, "second");
        (await cluster.Api.Endpoints.ListAsync(new ListEndpointsRequest(), cluster.Api.Headers)).Endpoints.Select(static endpoint => endpoint.EndpointId).ShouldBe([first, second]);
    });

    [Theory]
    [LongData("before-commit-renew-endpoint", 0)]
    [LongData("after-commit-renew-endpoint", 1)]
    public Task A_second_registration_of_an_endpoint_leaves_it_one_live_credential(string point, long revoked) => ServiceAsync(point, async cluster =>
    {
        var first = await RegisterEndpointAsync(cluster, "first");

        await DiesAsync(cluster, () => RegisterEndpointAsync(cluster, "first"));

        (await CredentialsAsync(cluster)).ShouldBe([(1L, revoked)]);
        (await RegisterEndpointAsync(cluster, "first")).ShouldBe(first);
        (await CredentialsAsync(cluster)).ShouldBe([(1L, revoked + 1)]);
    });

    // A deletion is two commits: the endpoint's, and the end of its tasks. After the first the second is made good at the start.
    [Theory]
    [LongData("before-commit-delete-endpoint", false)]
    [LongData("after-commit-delete-endpoint", true)]
    [LongData("before-commit-end-endpoint", true)]
    [InlineData("after-commit-end-endpoint", true)]
    public Task A_deletion_of_an_endpoint_is_made_with_the_end_of_its_tasks_or_not_at_all(string point, bool deleted) => ServiceAsync(point, async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var kept = await RegisterEndpointAsync(cluster, "kept");
        var endpoint = await RegisterEndpointAsync(cluster, Offline);
        await cluster.Api.SubmitAsync(ServiceApi.Request(square, endpoint, "tasks", Enumerable.Range(0, 40).Select(static i => $"[{i}]")));
        await cluster.Api.SubmitAsync(ServiceApi.Request(square, kept, "others", ["[1]"]));

        await DiesAsync(cluster, DeleteAsync);

        if (deleted)
        {
            (await Should.ThrowAsync<RpcException>(() => cluster.Api.EndpointAsync(endpoint))).StatusCode.ShouldBe(StatusCode.NotFound);
        }
        else
        {
            (await cluster.Api.GroupAsync("tasks")).Queued.ShouldBe(40);
            await DeleteAsync();
        }

        (await cluster.Api.WaitAsync("tasks", 40)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Cancelled);
        (await cluster.Api.GroupAsync("others")).Queued.ShouldBe(1);
        (await CredentialsAsync(cluster)).ShouldBe([(1L, 0L), (0L, 1L)]);

        async Task DeleteAsync() => await cluster.Api.Endpoints.DeleteAsync(new DeleteEndpointRequest { EndpointId = endpoint }, cluster.Api.Headers);
    });

    [Theory]
    [LongData("before-commit-cancel", 0)]
    [LongData("after-commit-cancel", 40)]
    public Task A_cancellation_of_queued_tasks_ends_all_of_them_or_none(string point, long cancelled) => ServiceAsync(point, async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var endpoint = await RegisterEndpointAsync(cluster, Offline);
        await cluster.Api.SubmitAsync(ServiceApi.Request(square, endpoint, "tasks", Enumerable.Range(0, 40).Select(static i => $"[{i}]")));

        await DiesAsync(cluster, async () => await CancelAsync(cluster, "tasks"));

        var group = await cluster.Api.GroupAsync("tasks");
        (group.Done, group.Queued).ShouldBe((cancelled, 40 - cancelled));
        (await CancelAsync(cluster, "tasks")).ShouldBe(40 - cancelled);
        (await cluster.Api.WaitAsync("tasks", 40)).Values.ShouldAllBe(static result => result.Outcome == Outcome.Cancelled);
    });

    [Theory]
    [LongData("before-commit-cancel", false)]
    [InlineData("after-commit-cancel", true)]
    public Task A_cancellation_of_tasks_at_an_endpoint_reaches_it_after_the_restart_or_never_was(string point, bool cancelled) => ServiceAsync(point, async cluster =>
    {
        await cluster.AddEndpointAsync(new EndpointOptions());
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        // Those that are to end with their values may; the others would keep their workers for longer than the test has patience.
        await cluster.Api.SubmitAsync(ServiceApi.Request(nap, cluster.EndpointId, "tasks", Enumerable.Range(0, 6).Select(i => $"[{(cancelled ? 600 : 1)}, {i}]")));
        await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync("tasks")).Dispatched >= 2, "tasks are at the endpoint");

        await DiesAsync(cluster, async () => await CancelAsync(cluster, "tasks"));

        var results = await cluster.Api.WaitAsync("tasks", 6);
        if (cancelled)
            results.Values.ShouldAllBe(static result => result.Outcome == Outcome.Cancelled);
        else
            results.ShouldBeIndexes(6);
    });

    [Theory]
    [LongData("before-commit-link", 1)]
    [LongData("after-commit-link", 2)]
    public Task A_link_whose_epoch_was_not_told_is_opened_with_the_next_one(string point, uint epoch) => ServiceAsync(point, async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var endpoint = await RegisterEndpointAsync(cluster, Offline);
        var batches = new List<BatchId> { ServiceApi.NewBatch() };
        await cluster.Api.SubmitAsync(ServiceApi.Request(square, endpoint, "tasks", Enumerable.Range(0, 40).Select(static i => $"[{i}]"), null, batches[0]));

        var adding = cluster.AddEndpointAsync(new EndpointOptions { Name = Offline });
        await DiedAsync(cluster);
        await cluster.Service.StartAsync();
        await adding;

        cluster.EndpointId.ShouldBe(endpoint);
        (await cluster.Api.WaitAsync("tasks", 40)).ShouldBeSquares(batches, 40);
        (await cluster.Api.EndpointAsync(endpoint)).Epoch.ShouldBe(epoch);
    });

    [Theory]
    [LongData("before-commit-create-token", 1)]
    [LongData("after-commit-create-token", 2)]
    public Task A_token_is_made_with_its_user_or_not_at_all(string point, int tokens) => ServiceAsync(null, async cluster =>
    {
        (await TokenCommandAsync(cluster, point, "create", "--user", "ann")).ShouldBe(137);

        (await ReadAsync(cluster, "SELECT count(*), (SELECT count(*) FROM users WHERE name = 'ann') FROM tokens")).ShouldBe([(tokens, tokens - 1L)]);
        // Its text is gone with the process; another one is made.
        using var ann = new ServiceApi(cluster.Service.Address, await cluster.Service.CreateTokenAsync("ann"));
        await ann.RegisterAsync(Python.Square, "square");
        (await ReadAsync(cluster, "SELECT count(*), (SELECT count(*) FROM users WHERE name = 'ann') FROM tokens")).ShouldBe([(tokens + 1L, 1L)]);
    });

    [Theory]
    [LongData("before-commit-revoke-token", false)]
    [InlineData("after-commit-revoke-token", true)]
    public Task A_token_is_revoked_or_still_good(string point, bool revoked) => ServiceAsync(null, async cluster =>
    {
        using var ann = new ServiceApi(cluster.Service.Address, await cluster.Service.CreateTokenAsync("ann"));
        await ann.RegisterAsync(Python.Square, "square");
        await using var registry = await OpenAsync(cluster);
        await using var command = registry.CreateCommand();
        command.CommandText = "SELECT t.id FROM tokens t JOIN users u ON u.number = t.owner WHERE u.name = 'ann'";
        var id = (string)(await command.ExecuteScalarAsync())!;

        (await TokenCommandAsync(cluster, point, "revoke", id)).ShouldBe(137);

        if (!revoked)
        {
            await ann.RegisterAsync(Python.Nap, "nap");
            (await TokenCommandAsync(cluster, null, "revoke", id)).ShouldBe(0);
        }

        // A running service notices within half a second.
        await Eventually.TrueAsync(() => IsRefusedAsync(ann), "the token is refused");
        await cluster.Service.KillAsync();
        await cluster.Service.StartAsync();
        (await IsRefusedAsync(ann)).ShouldBeTrue();
    });

    [Theory]
    [LongData("before-commit-snapshot", 0)]
    [LongData("after-commit-snapshot", 1)]
    public Task A_snapshot_is_whole_or_not_there(string point, int snapshots) => ServiceAsync(point, async cluster =>
    {
        const int Batches = 20, PerBatch = 20, Tasks = Batches * PerBatch;
        var length = await cluster.Api.RegisterAsync("def length(text):\n    return len(text)\n", "length");
        var endpoint = await RegisterEndpointAsync(cluster, Offline);
        // A clean stop takes a snapshot when the log has grown by 16 MB; bodies above 64 KiB are not in it.
        for (var i = 0; i < Batches; i++)
            await cluster.Api.SubmitAsync(ServiceApi.Request(length, endpoint, "tasks", Enumerable.Repeat($"[\"{new string('x', 50_000 + i)}\"]", PerBatch)));

        (await cluster.Service.StopAsync()).ShouldBe(137, "the service did not die at its fail point");

        Snapshots(cluster).Count.ShouldBe(snapshots);
        await cluster.Service.StartAsync();
        (await cluster.Api.GroupAsync("tasks")).Queued.ShouldBe(Tasks);
        await cluster.AddEndpointAsync(new EndpointOptions { Name = Offline });
        (await cluster.Api.WaitAsync("tasks", Tasks)).Values.Select(static result => result.Text).Order()
            .ShouldBe(Enumerable.Range(50_000, Batches).SelectMany(static bytes => Enumerable.Repeat(bytes.ToString(CultureInfo.InvariantCulture), PerBatch)));
    });

    private static List<string> Snapshots(LocalCluster cluster) => [.. Directory.EnumerateFiles(Path.Combine(cluster.Service.DataDirectory, "snapshots"), "*.snapshot")];

    /// <summary>A service alone that dies at the point; started again it has none.</summary>
    private static async Task ServiceAsync(string? point, Func<LocalCluster, Task> body) =>
        await Scenario.RunAsync(await LocalCluster.StartServiceAsync(new Dictionary<string, string?> { ["FUNCX_FAILPOINT"] = point }), body);

    /// <summary>The call is not answered, since the service dies in it; then the service is started again.</summary>
    private static async Task DiesAsync(LocalCluster cluster, Func<Task> call)
    {
        (await Should.ThrowAsync<RpcException>(call)).StatusCode.ShouldBeOneOf(StatusCode.Unavailable, StatusCode.Internal, StatusCode.Cancelled, StatusCode.Unknown);
        await DiedAsync(cluster);
        await cluster.Service.StartAsync();
        // The channel's first call may find out that its old connection is broken.
        await Eventually.TrueAsync(() => AnswersAsync(cluster), "the service answers");
    }

    private static async Task DiedAsync(LocalCluster cluster)
    {
        await cluster.Service.WaitForExitAsync();
        cluster.Service.ExitCode.ShouldBe(137, "the service did not die at its fail point");
    }

    private static async Task<bool> AnswersAsync(LocalCluster cluster)
    {
        try
        {
            await FunctionsAsync(cluster);
            return true;
        }
        catch (RpcException away) when (away.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled)
        {
            return false;
        }
    }

    private static async Task<bool> IsRefusedAsync(ServiceApi api)
    {
        try
        {
            await api.Functions.ListAsync(new ListFunctionsRequest(), api.Headers);
            return false;
        }
        catch (RpcException refused) when (refused.StatusCode == StatusCode.Unauthenticated)
        {
            return true;
        }
        catch (RpcException away) when (away.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled)
        {
            return false;
        }
    }

    private static async Task<List<string>> FunctionsAsync(LocalCluster cluster) =>
        [.. (await cluster.Api.Functions.ListAsync(new ListFunctionsRequest(), cluster.Api.Headers)).Functions.Select(static function => function.FunctionId)];

    private static async Task<string> RegisterEndpointAsync(LocalCluster cluster, string name) =>
        (await cluster.Api.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = name }, cluster.Api.Headers)).EndpointId;

    private static async Task<long> CancelAsync(LocalCluster cluster, string group) =>
        (await cluster.Api.Tasks.CancelAsync(new CancelRequest { Group = group }, cluster.Api.Headers)).Cancelled;

    /// <summary>Of each endpoint by age, live and revoked credentials.</summary>
    private static Task<List<(long, long)>> CredentialsAsync(LocalCluster cluster) => ReadAsync(
        cluster,
        "SELECT count(t.id) FILTER (WHERE t.revoked_at IS NULL), count(t.revoked_at) FROM endpoints e LEFT JOIN tokens t ON t.endpoint = e.number GROUP BY e.number ORDER BY e.number");

    private static async Task<List<(long, long)>> ReadAsync(LocalCluster cluster, string sql)
    {
        await using var registry = await OpenAsync(cluster);
        await using var command = registry.CreateCommand();
        command.CommandText = sql;
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<(long, long)>();
        while (await reader.ReadAsync())
            rows.Add((reader.GetInt64(0), reader.GetInt64(1)));
        return rows;
    }

    private static async Task<SqliteConnection> OpenAsync(LocalCluster cluster)
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(cluster.Service.DataDirectory, "registry.db")};Mode=ReadOnly;Pooling=False");
        await connection.OpenAsync();
        return connection;
    }

    private static async Task<int> TokenCommandAsync(LocalCluster cluster, string? point, string command, params string[] arguments) => (await Daemon.RunAsync(
        [Programs.Service, "token", command, "--data-dir", cluster.Service.DataDirectory, .. arguments],
        Path.Combine(cluster.DirectoryPath, "token.log"),
        Eventually.Patience,
        new Dictionary<string, string?> { ["FUNCX_FAILPOINT"] = point })).ExitCode;
}
