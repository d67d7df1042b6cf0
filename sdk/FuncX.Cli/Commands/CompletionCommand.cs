using System.CommandLine;

namespace FuncX.Cli.Commands;

/// <summary><c>funcx completion bash|zsh|fish</c>: prints a shell's script that completes the commands of all three programs, which answer it themselves.</summary>
internal static class CompletionCommand
{
    // Options only where one is begun, or nothing else can stand; where nothing can, file names. `/?` and `/h` are Windows' ways to ask for help.
    private const string Bash = """
        # FuncX completion for bash. In ~/.bashrc: source <(funcx completion bash)
        _funcx_complete() {
            local name=${1##*/} word=$2 IFS=$'\n' all plain
            local line=$name${COMP_LINE#"${COMP_WORDS[0]}"}
            local point=$((COMP_POINT - ${#COMP_WORDS[0]} + ${#name}))
            all=$("$1" "[suggest:$point]" "$line" 2>/dev/null | grep -vE '^(/|-.$)')
            plain=$(grep -v '^-' <<<"$all")
            [[ $word != -* && -n $plain ]] && all=$plain
            COMPREPLY=($(compgen -W "$all" -- "$word"))
        }
        complete -o bashdefault -o default -F _funcx_complete funcx funcx-endpoint funcx-service
        """;

    private const string Zsh = """
        #compdef funcx funcx-endpoint funcx-service
        # FuncX completion for zsh. In ~/.zshrc, after compinit: source <(funcx completion zsh)
        _funcx_complete() {
            local name=${words[1]:t} line
            line=$name${BUFFER#${words[1]}}
            local -a all plain
            all=(${(f)"$(${words[1]} "[suggest:$((CURSOR - ${#words[1]} + ${#name}))]" "$line" 2>/dev/null | grep -vE '^(/|-.$)')"})
            plain=(${all:#-*})
            [[ ${words[CURRENT]} != -* && ${#plain} -gt 0 ]] && all=($plain)
            compadd -- $all || _files
        }
        compdef _funcx_complete funcx funcx-endpoint funcx-service
        """;

    private const string Fish = """
        # FuncX completion for fish. In ~/.config/fish/config.fish: funcx completion fish | source
        function __funcx_complete
            set -l program $argv[1]
            set -l line (commandline -cp | string replace -r '^\S+' $program)
            set -l all ($program "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null | string match -rv '^(/|-.$)')
            set -l plain (string match -rv '^-' -- $all)
            if not string match -q -- '-*' (commandline -ct); and set -q plain[1]
                set all $plain
            end
            set all (string match -r -- '^'(string escape --style=regex -- (commandline -ct))'.*' $all)
            if set -q all[1]
                printf '%s\n' $all
            else
                __fish_complete_path (commandline -ct)
            end
        end
        for program in funcx funcx-endpoint funcx-service
            complete -c $program -f -a "(__funcx_complete $program)"
        end
        """;

    public static Command Create(CommandLine commands)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Print the script that completes commands in your shell; its first line says where it goes.") { shell };
        commands.On(command, async (invocation, _) =>
        {
            await invocation.Terminal.Output.WriteLineAsync(invocation.Parsed.GetRequiredValue(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish });
            return ExitCodes.Ok;
        });
        return command;
    }
}
