using System.Text.Json;
using FuncX.Client;
using FuncX.Tests.Integration.Harness;
using FuncX.Wire;

namespace FuncX.Tests.Integration.Outcomes;

/// <summary>Results that no message could carry, up to the client.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class LargeResultTests
{
    private const int Bytes = 100_000_000;

    private static readonly string _python = "def large(n):\n    return 'x' * n\n";

    // The table of outcomes has one of each kind.
    [Fact]
    public Task A_hundred_megabytes_reach_the_client_whatever_made_them() => Scenario.RunAsync(async cluster =>
    {
        Assert.SkipUnless(Scenario.Full, "takes a quarter of a minute: tests/run --full");
        await using var client = await ConnectAsync(cluster);
        var endpoint = new EndpointId(cluster.EndpointId);

        // What is small does not wait for what is large.
        var python = new FunctionId(await cluster.Api.RegisterAsync(_python, "large"));
        var large = client.CallAsync<int, string>(python, endpoint, Bytes);
        (await client.CallAsync<int, string>(python, endpoint, 3)).ShouldBe("xxx");
        ShouldBeAllX(await large);

        var dotnet = new FunctionId(await cluster.Api.RegisterDotnetAsync("Large"));
        ShouldBeAllX(await client.CallAsync<int, string>(dotnet, endpoint, Bytes));

        var command = await client.Functions.RegisterCommandAsync("large", """{"command": "head -c $n /dev/zero | tr '\\000' x > large", "shell": true, "parameters": ["n"], "outputs": ["large"]}""");
        ShouldBeAllX((await client.CallAsync<int, JsonElement>(command, endpoint, Bytes)).GetProperty("files").GetProperty("large").GetProperty("text").GetString()!);

        // Beyond the limit it is an outcome of its own, and what else goes on is not disturbed.
        var problem = await Should.ThrowAsync<RemoteTaskException>(async () => await client.CallAsync<int, string>(python, endpoint, 256 << 20));
        problem.Message.ShouldContain($"the result has {(256 << 20) + 2} bytes");
        (await client.CallAsync<int, string>(python, endpoint, 3)).ShouldBe("xxx");
    });

    [LongFact]
    public Task One_that_is_computed_while_the_service_is_away_is_spooled_and_can_be_read_again_in_pieces() => Scenario.RunAsync(async cluster =>
    {
        // It begins when the file is there, and that is after the service has ended.
        var begin = Path.Combine(cluster.DirectoryPath, "begin");
        var function = await cluster.Api.RegisterAsync("import os, time\ndef large(path, n):\n    while not os.path.exists(path):\n        time.sleep(0.01)\n    return 'x' * n\n", "large");
        var request = ServiceApi.Request(function, cluster.EndpointId, "spooled", [$"[{JsonSerializer.Serialize(begin)}, {Bytes}]"]);
        await cluster.Api.SubmitAsync(request);
        await Eventually.TrueAsync(async () => (await cluster.Api.GroupAsync(request.Group)).Dispatched == 1, "the task is on its way");
        await cluster.Service.KillAsync();
        await File.WriteAllTextAsync(begin, "");
        var spool = Path.Combine(cluster.Endpoint!.StateDirectory, "spool");
        await Eventually.TrueAsync(() => Directory.Exists(spool) && new DirectoryInfo(spool).EnumerateFiles("*", SearchOption.AllDirectories).Sum(static file => file.Length) > Bytes, "the result is in the spool");
        // The endpoint has it on disk: it may end too.
        await cluster.Endpoint.KillAsync();
        await cluster.Service.StartAsync();
        await cluster.Endpoint.StartAsync();

        var id = new TaskId(BatchId.Read(request.BatchId.Span), 0);
        await Eventually.TrueAsync(
            async () => (await cluster.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = id.ToString() }, cluster.Api.Headers)).State == TaskState.Done, "the result is at the service");
        var info = await cluster.Api.Tasks.GetAsync(new GetTaskRequest { TaskId = id.ToString() }, cluster.Api.Headers);
        (info.Outcome, info.ValueBytes, info.Value.Length, info.Attempts).ShouldBe((Outcome.Value, Bytes + 2ul, 0, 1u));
        var saved = Path.Combine(cluster.DirectoryPath, "saved.json");
        (await CliProcess.RunAsync(cluster, 0, "task", "result", id.ToString(), "--output", saved)).ShouldBe([$"{Bytes + 2} bytes (json) in {saved}"]);
        ShouldBeAllX(JsonSerializer.Deserialize<string>(await File.ReadAllBytesAsync(saved))!);
        ShouldBeAllX(string.Concat(await CliProcess.RunAsync(cluster, 0, "task", "result", id.ToString())));
        await CliProcess.RunAsync(cluster, 2, "task", "result", id.ToString(), "--output", "/proc/there/is/nothing");

        await using var client = await ConnectAsync(cluster);
        for (var time = 0; time < 2; time++)
        {
            var value = new MemoryStream();
            (await client.Tasks.ReadValueAsync(id, value)).ShouldBe(Bytes + 2);
            ShouldBeAllX(JsonSerializer.Deserialize<string>(value.GetBuffer().AsSpan(0, (int)value.Length))!);
            await foreach (var result in client.Tasks.ResultsAsync(request.Group))
                ShouldBeAllX(JsonSerializer.Deserialize<string>(result.Value.Span)!);
        }
    });

    private static async Task<FuncXClient> ConnectAsync(LocalCluster cluster) =>
        new(new Uri(cluster.Service.Address), (await File.ReadAllTextAsync(cluster.TokenFile)).Trim());

    private static void ShouldBeAllX(string text)
    {
        text.Length.ShouldBe(Bytes);
        text.AsSpan().IndexOfAnyExcept('x').ShouldBe(-1);
    }
}
