using System.Text.Json;
using FuncX.Client;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Outcomes;

/// <summary>Results near the standard limit of 10 MiB of each kind of function, up to the client.</summary>
public sealed class LargeResultTests
{
    private const int Bytes = 10_000_000;

    [Fact]
    public Task A_result_of_ten_megabytes_reaches_the_client_whatever_made_it() => Scenario.RunAsync(async cluster =>
    {
        await using var client = new FuncXClient(new Uri(cluster.Service.Address), (await File.ReadAllTextAsync(cluster.Service.AdminTokenFile)).Trim());
        var endpoint = new EndpointId(cluster.EndpointId);

        var python = new FunctionId(await cluster.Api.RegisterAsync("def large(n):\n    return 'x' * n\n", "large"));
        ShouldBeAllX(await client.CallAsync<int, string>(python, endpoint, Bytes));

        var dotnet = new FunctionId(await cluster.Api.RegisterDotnetAsync("Large"));
        ShouldBeAllX(await client.CallAsync<int, string>(dotnet, endpoint, Bytes));

        var command = await client.Functions.RegisterCommandAsync("large", """{"command": "head -c $n /dev/zero | tr '\\000' x > large", "shell": true, "parameters": ["n"], "outputs": ["large"]}""");
        ShouldBeAllX((await client.CallAsync<int, JsonElement>(command, endpoint, Bytes)).GetProperty("files").GetProperty("large").GetProperty("text").GetString()!);

        // Beyond the endpoint's limit it is an outcome of its own, and what else goes on is not disturbed.
        var problem = await Should.ThrowAsync<RemoteTaskException>(async () => await client.CallAsync<int, string>(python, endpoint, 11_000_000));
        problem.Message.ShouldContain("the result has 11000002 bytes");
        (await client.CallAsync<int, string>(python, endpoint, 3)).ShouldBe("xxx");
    });

    private static void ShouldBeAllX(string text)
    {
        text.Length.ShouldBe(Bytes);
        text.AsSpan().IndexOfAnyExcept('x').ShouldBe(-1);
    }
}
