using System.Globalization;
using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

[Trait(Beside.Name, Beside.Suites)]
public sealed class RuntimeEnvironmentTests
{
    private const string Environment = "import os\ndef env():\n    return dict(os.environ)\n";

    [Fact]
    public Task Service_and_endpoint_set_what_their_runtime_reads_and_pass_none_of_it_on() => Scenario.RunAsync(async cluster =>
    {
        Variables(cluster.Service.Identity.Pid).ShouldContain("DOTNET_GCgen0size=4000000");
        Variables(cluster.Endpoint.Identity.Pid).ShouldContain("DOTNET_GCgen0size=4000000");
        Variables(cluster.Endpoint.Identity.Pid).ShouldContain("DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION=512");
        ShouldBeNamed(cluster.Service.Identity.Pid, Programs.Service);
        ShouldBeNamed(cluster.Endpoint.Identity.Pid, Programs.Endpoint);
        // One that tools find, and none of the process that it was before.
        Sockets(cluster.Service.Identity.Pid).ShouldHaveSingleItem();
        Sockets(cluster.Endpoint.Identity.Pid).ShouldHaveSingleItem();

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

    [Theory]
    [InlineData("DOTNET_DiagnosticPorts", "{0}/trace.sock,nosuspend")]
    [LongData("DOTNET_STARTUP_HOOKS", "{1}")]
    [LongData("CORECLR_ENABLE_PROFILING", "1")]
    public async Task What_is_watched_from_its_start_begins_once(string name, string value)
    {
        var directory = LocalCluster.NewDirectory("watched");
        var beginnings = Path.Combine(directory, "beginnings");
        var environment = new Dictionary<string, string?>
        {
            [name] = string.Format(CultureInfo.InvariantCulture, value, directory, typeof(StartupHook).Assembly.Location),
            [StartupHook.Variable] = beginnings,
        };
        await Scenario.RunAsync(
            new EndpointOptions(),
            cluster =>
            {
                foreach (var process in (int[])[cluster.Service.Identity.Pid, cluster.Endpoint.Identity.Pid])
                {
                    Variables(process).ShouldContain($"{name}={environment[name]}");
                    Variables(process).ShouldNotContain("GCgen0size");
                    Variables(process).ShouldNotContain("FUNCX_RUNTIME_ENVIRONMENT");
                    if (name == "DOTNET_STARTUP_HOOKS")
                        File.ReadLines(beginnings).Count(line => line == $"{process}").ShouldBe(1);
                }

                return Task.CompletedTask;
            },
            serviceEnvironment: environment,
            endpointEnvironment: environment);
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("start", "--help")]
    [InlineData("--version")]
    public async Task A_question_is_answered_by_the_process_that_was_asked(params string[] arguments)
    {
        File.Exists("/usr/bin/strace").ShouldBeTrue("strace counts the calls; tests/run installs it");
        var directory = LocalCluster.NewDirectory("question");
        foreach (var program in (string[])[Programs.Service, Programs.Endpoint])
        {
            var trace = Path.Combine(directory, "trace");

            var (exitCode, output) = await Daemon.RunAsync(
                ["/usr/bin/strace", "-f", "-e", "trace=execve", "-o", trace, program, .. arguments], Path.Combine(directory, "log"), Eventually.Patience);

            exitCode.ShouldBe(0, output);
            File.ReadLines(trace).Count(line => line.Contains("execve(", StringComparison.Ordinal)).ShouldBe(1);
        }

        Directory.Delete(directory, recursive: true);
    }

    /// <summary>As ps shows it: the file's name, as far as the kernel keeps it.</summary>
    private static void ShouldBeNamed(int process, string program)
    {
        var name = Path.GetFileName(program);
        File.ReadAllText($"/proc/{process}/comm").TrimEnd().ShouldBe(name[..Math.Min(15, name.Length)]);
    }

    /// <summary>Those of this very process: one that was killed leaves its own behind, and its number comes again.</summary>
    private static string[] Sockets(int process)
    {
        var state = File.ReadAllText($"/proc/{process}/stat");
        var started = state[state.LastIndexOf(')')..].Split(' ')[20];
        return Directory.GetFiles(Path.GetTempPath(), $"dotnet-diagnostic-{process}-{started}-socket*");
    }

    private static string Variables(int process) => File.ReadAllText($"/proc/{process}/environ");

    private static async Task<string> EnvironmentOfFunctionAsync(LocalCluster cluster)
    {
        var function = await cluster.Api.RegisterAsync(Environment, "env");
        await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "env", ["[]"]));
        return (await cluster.Api.WaitAsync("env", 1)).Values.Single().Text;
    }
}
