using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary><c>funcx completion</c> in the shells it is for.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class CompletionTests : IDisposable
{
    /// <summary>What the shell does at a tab: calls the registered function with what stands there, which fills COMPREPLY.</summary>
    private const string BashTab = """
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        read -ra COMP_WORDS <<<"$2"
        [[ $2 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        registered=$(complete -p "${COMP_WORDS[0]##*/}")
        registered=${registered##*-F }
        "${registered%% *}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
        """;

    /// <summary>The completion system itself needs a terminal: its two functions print what they are given.</summary>
    private const string ZshTab = """
        compdef() { registered=$1 }
        compadd() { shift; for one in "$@"; do [[ $one == ${words[CURRENT]}* ]] && print -r -- $one; done; return 0 }
        source "$1"
        BUFFER=$2 CURSOR=${#2} words=(${(z)2})
        [[ $2 == *' ' ]] && words+=('')
        CURRENT=${#words}
        $registered
        """;

    private const string FishTab = """
        source $argv[1]
        complete -C $argv[2]
        """;

    private readonly string _directory = LocalCluster.NewDirectory("completion");

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    public async Task A_tab_completes_commands_and_options_of_all_three_programs(string shell)
    {
        var programs = Directory.CreateDirectory(Path.Combine(_directory, "bin")).FullName;
        foreach (var program in (string[])[SourceTree.Program("sdk/FuncX.Cli", "funcx"), Contracts.Programs.Endpoint, Contracts.Programs.Service])
            File.CreateSymbolicLink(Path.Combine(programs, Path.GetFileName(program)), program);
        var script = Path.Combine(_directory, "script");
        var (exitCode, text) = await Daemon.RunAsync([Path.Combine(programs, "funcx"), "completion", shell], Path.Combine(_directory, "completion.log"), Eventually.Patience);
        exitCode.ShouldBe(0, text);
        await File.WriteAllTextAsync(script, text);

        (await TabAsync("funcx en")).ShouldBe(["endpoint"]);
        (await TabAsync("funcx endpoint ")).ShouldBe(["delete", "list", "show"], ignoreOrder: true);
        (await TabAsync("funcx endpoint list --j")).ShouldBe(["--json"]);
        (await TabAsync("funcx group l")).ShouldBe(["label", "list"], ignoreOrder: true);
        (await TabAsync("funcx group list --u")).ShouldBe(["--unfinished"]);
        (await TabAsync("funcx-endpoint sta")).ShouldBe(["start", "status"], ignoreOrder: true);
        (await TabAsync("funcx-endpoint logs --fol")).ShouldBe(["--follow"]);
        (await TabAsync("funcx-service token ")).ShouldBe(["create", "list", "revoke"], ignoreOrder: true);
        if (shell == "fish")
            (await TabAsync($"funcx function register {_directory}/scr")).ShouldBe([script], "where nothing else can stand it may be a file");
        else
            (await TabAsync($"{programs}/funcx quick")).ShouldBe(["quickstart"]);

        async Task<string[]> TabAsync(string line)
        {
            string[] command = shell switch
            {
                "bash" => ["/bin/bash", "--norc", "-c", BashTab, "bash", script, line],
                "zsh" => ["/usr/bin/zsh", "-f", "-c", ZshTab, "zsh", script, line],
                _ => ["/usr/bin/fish", "--no-config", "-c", FishTab, script, line],
            };
            var (_, output) = await Daemon.RunAsync(command, Path.Combine(_directory, "tab.log"), Eventually.Patience, new Dictionary<string, string?>
            {
                ["PATH"] = $"{programs}:{Environment.GetEnvironmentVariable("PATH")}",
                ["HOME"] = _directory,
            });
            return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
