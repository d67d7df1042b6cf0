using FuncX.Configuration;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class RuntimeEnvironmentRulesTests
{
    private static readonly string[] Start = ["/opt/funcx/funcx-endpoint", "start", "--config", "a.yaml"];

    [Theory]
    [InlineData("PATH", "/bin", true)]
    [InlineData("DOTNET_gcServer", "0", true)]
    [InlineData("DOTNET_STARTUP_HOOKS", "", true)]
    [InlineData("DOTNET_STARTUP_HOOKS", "/opt/hook.dll", false)]
    [InlineData("DOTNET_DiagnosticPorts", "/run/trace.sock", false)]
    [InlineData("COMPlus_DiagnosticPorts", "/run/trace.sock,nosuspend", false)]
    [InlineData("CORECLR_ENABLE_PROFILING", "1", false)]
    [InlineData("CORECLR_ENABLE_PROFILING", "0x1", false)]
    [InlineData("CORECLR_ENABLE_PROFILING", "0", true)]
    public void A_run_that_somebody_watches_from_its_start_begins_once(string name, string value, bool may) =>
        RuntimeEnvironmentRules.MayBeginAnew(Variables((name, value)), isDebugged: false, Start).ShouldBe(may);

    [Fact]
    public void A_run_under_a_debugger_begins_once() =>
        RuntimeEnvironmentRules.MayBeginAnew(Variables(), isDebugged: true, Start).ShouldBeFalse();

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("-?")]
    [InlineData("--version")]
    public void A_run_that_only_answers_a_question_begins_once(string question) =>
        RuntimeEnvironmentRules.MayBeginAnew(Variables(), isDebugged: false, [.. Start, question]).ShouldBeFalse();

    [Theory]
    [InlineData("DOTNET_GCgen0size", true)]
    [InlineData("COMPlus_GCgen0size", true)]
    [InlineData("GCgen0size", false)]
    [InlineData("COMPlus_GCgen1size", false)]
    public void What_the_user_has_set_is_known_by_either_name_of_it(string name, bool isSet) =>
        RuntimeEnvironmentRules.IsSet("DOTNET_GCgen0size", Variables((name, "2000000"))).ShouldBe(isSet);

    [Fact]
    public void The_runtimes_sockets_are_named_after_the_process_and_its_start() =>
        RuntimeEnvironmentRules.Sockets(
                4711,
                "4711 (a (b) c) S 1 4711 4711 0 -1 4194304 2033 0 3 0 12 4 0 0 20 0 18 0 80287 284594176 12057 18446744073709551615 1 1 0 0 0 0 0 4096 17642 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
            .ShouldBe(["dotnet-diagnostic-4711-80287-socket", "clr-debug-pipe-4711-80287-in", "clr-debug-pipe-4711-80287-out"]);

    [Fact]
    public void The_runtime_of_this_process_names_its_socket_so() =>
        File.Exists(Path.Combine(Path.GetTempPath(), RuntimeEnvironmentRules.Sockets(Environment.ProcessId, File.ReadAllText("/proc/self/stat"))[0])).ShouldBeTrue();

    [Theory]
    [InlineData("")]
    [InlineData("4711 (a) S 1 2")]
    public void Without_a_start_there_is_nothing_to_remove(string stat) => RuntimeEnvironmentRules.Sockets(4711, stat).ShouldBeEmpty();

    private static Func<string, string?> Variables(params (string Name, string Value)[] variables) =>
        name => variables.FirstOrDefault(variable => variable.Name == name).Value;
}
