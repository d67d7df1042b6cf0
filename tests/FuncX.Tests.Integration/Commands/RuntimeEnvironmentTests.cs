using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

public sealed class RuntimeEnvironmentTests
{
    private const string Environment = "import os\ndef env():\n    return dict(os.environ)\n";

    [Fact]
    public Task Service_and_endpoint_set_what_their_runtime_reads_and_pass_none_of_it_on() => Scenario.RunAsync(async cluster =>
    {
        Variables(cluster.Service.Identity.Pid).ShouldContain("DOTNET_GCgen0size=4000000");
        Variables(cluster.Endpoint.Identity.Pid).ShouldContain("DOTNET_GCgen0size=4000000");
        Variables(cluster.Endpoint.Identity.Pid).ShouldContain("DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION=512");

        var seen = await EnvironmentOfFunctionAsync(cluster);
        var managers = cluster.Endpoint.Managers();

        managers.ShouldNotBeEmpty();
        foreach (var variables in managers.Select(static manager => Variables(manager.Pid)).Append(seen))
        {
            variables.ShouldNotContain("GCgen0size");
            variables.ShouldNotContain("SHAREDARRAYPOOL");
            variables.ShouldNotContain("FUNCX_RUNTIME_ENVIRONMENT");
        }
    });

    [Fact]
    public Task What_the_user_has_set_stays_as_it_is_and_is_passed_on() => Scenario.RunAsync(
        new EndpointOptions(),
        async cluster =>
        {
            Variables(cluster.Endpoint.Identity.Pid).ShouldContain("DOTNET_GCgen0size=2000000");
            Variables(cluster.Endpoint.Identity.Pid).ShouldNotContain("DOTNET_GCgen0size=4000000");

            var seen = await EnvironmentOfFunctionAsync(cluster);

            seen.ShouldContain("\"DOTNET_GCgen0size\":\"2000000\"");
            seen.ShouldNotContain("SHAREDARRAYPOOL");
        },
        endpointEnvironment: new Dictionary<string, string?> { ["DOTNET_GCgen0size"] = "2000000" });

    private static string Variables(int process) => File.ReadAllText($"/proc/{process}/environ");

    private static async Task<string> EnvironmentOfFunctionAsync(LocalCluster cluster)
    {
        var function = await cluster.Api.RegisterAsync(Environment, "env");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "env", ["[]"]));
        return (await cluster.Api.WaitAsync("env", 1)).Values.Single().Text;
    }
}
