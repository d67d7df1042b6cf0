using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>The command on a real pseudo-terminal, which <c>script</c> (util-linux) opens: what a person sees on it while something long runs, and what goes to a file beside it.</summary>
public sealed partial class CliTerminalTests : LiveCommandHarness
{
    // What takes a moment, on a machine that is busy.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(30);

    private readonly StringBuilder _seen = new();

    private string Results => Path.Combine(DirectoryPath, "results");

    private string Errors => Path.Combine(DirectoryPath, "errors");

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");
        await File.WriteAllTextAsync(Path.Combine(DirectoryPath, "in.jsonl"), "1\n2\n3\n", Token);
    }

    [Fact]
    public async Task A_map_draws_its_bar_on_the_terminal_and_its_results_elsewhere()
    {
        Service.State.Holding = true;
        var process = Start($"map same lab {DirectoryPath}/in.jsonl --group seen", $"> {Results}");

        await SeesAsync(process, text => text.Contains("calls", StringComparison.Ordinal) && IsBar(text) && text.Contains("0%", StringComparison.Ordinal));
        Service.State.Release();

        (await EndAsync(process)).ShouldBe(0, _seen.ToString());
        (await File.ReadAllTextAsync(Results, Token)).ShouldBe("1\n2\n3\n");
        _seen.ToString().ShouldContain("group seen");
    }

    [Theory]
    [InlineData("map same lab {directory}/in.jsonl --group seen", "2> {errors}", "group seen\n")]
    [InlineData("map same lab {directory}/in.jsonl --group seen --json", "> {results}", "")]
    public async Task No_bar_is_drawn_where_there_is_no_terminal_or_a_program_reads(string arguments, string redirection, string errors)
    {
        var process = Start(arguments.Replace("{directory}", DirectoryPath, StringComparison.Ordinal), redirection.Replace("{errors}", Errors, StringComparison.Ordinal).Replace("{results}", Results, StringComparison.Ordinal));

        (await EndAsync(process)).ShouldBe(0, _seen.ToString());
        IsBar(_seen.ToString()).ShouldBeFalse(_seen.ToString());
        // What the runtime itself says to a terminal (application keys) is no bar: nothing is drawn over, and no share is told.
        _seen.ToString().ShouldNotContain("\u001b[?25l");
        _seen.ToString().ShouldNotContain('%');
        if (errors.Length > 0)
            (await File.ReadAllTextAsync(Errors, Token)).ShouldBe(errors);
    }

    [Theory]
    [InlineData(1, 2, "50%")]
    [InlineData(1, 4, "25%")]
    [InlineData(3, 4, "75%")]
    public async Task The_bar_of_a_group_says_how_much_of_it_has_ended(int done, int tasks, string share)
    {
        await using var client = Service.Client(new FuncX.Client.FuncXClientOptions { Group = "seen" });
        await SubmitAsync(done);
        Service.State.Holding = true;
        await SubmitAsync(tasks - done);
        var process = Start("group wait seen", "");

        // It passes smaller shares on its way, and then it stays.
        await SeesAsync(process, text => IsBar(text) && Shares().Matches(text).TakeLast(3).Count(drawn => drawn.Value == share) == 3);
        Service.State.Release();

        (await EndAsync(process)).ShouldBe(0, _seen.ToString());

        async Task SubmitAsync(int count)
        {
            for (var call = 0; call < count; call++)
                await (await client.SubmitAsync<int, int>(Service.State.Functions[0], Service.State.Endpoints[0], call, cancellation: Token)).Accepted;
        }
    }

    [GeneratedRegex("[0-9]+%")]
    private static partial Regex Shares();

    /// <summary>The characters of Spectre.Console's bar, drawn on a line that is drawn again.</summary>
    private static bool IsBar(string text) => text.Contains("\u2501\u2501\u2501", StringComparison.Ordinal) || text.Contains("---", StringComparison.Ordinal);

    /// <summary>Runs the command with its three streams on a terminal of 120 columns, but for what is redirected.</summary>
    private Process Start(string arguments, string redirection)
    {
        var command = string.Create(
            CultureInfo.InvariantCulture, $"stty rows 40 cols 120; exec {Program} {arguments} {string.Join(' ', ToService)} {redirection}");
        var start = new ProcessStartInfo("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardOutputEncoding = Encoding.UTF8,
            UseShellExecute = false,
        };
        start.Environment["TERM"] = "xterm";
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["SHELL"] = "/bin/sh";
        start.Environment.Remove("NO_COLOR");
        return Start(start);
    }

    /// <summary>Reads what appears on the terminal until it is as wanted.</summary>
    private async Task SeesAsync(Process process, Func<string, bool> wanted)
    {
        var buffer = new char[4096];
        // A bar is drawn again and again: it is not the silence that is waited for.
        var late = Task.Delay(Moment, Token);
        while (!wanted(_seen.ToString()))
        {
            var reading = process.StandardOutput.ReadAsync(buffer, Token).AsTask();
            (await Task.WhenAny(reading, late) == reading).ShouldBeTrue($"it is not seen, but: {_seen}");
            var read = await reading;
            read.ShouldBeGreaterThan(0, _seen.ToString());
            _seen.Append(buffer, 0, read);
        }
    }

    private async Task<int> EndAsync(Process process)
    {
        _seen.Append(await process.StandardOutput.ReadToEndAsync(Token).WaitAsync(Moment, Token));
        await process.WaitForExitAsync(Token);
        return process.ExitCode;
    }
}
