using System.Diagnostics;
using System.Runtime.InteropServices;
using FuncX.Tests.Client.Fake;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>The command as a process of its own, with pipes that stay open: what it does while nothing comes, and when a signal does.</summary>
public sealed partial class LiveCommandTests : IAsyncLifetime
{
    private const int Hangup = 1;
    private const int Interrupt = 2;
    private const int Terminate = 15;

    // What takes a moment, on a machine that is busy; well below the 30 s that the command waits before it breaks an action off.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(60);

    // In its own output: the copy beside this program lacks what the web framework of the fake service brings here.
    private static readonly string Program = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "..", "..", "..", "sdk", "FuncX.Cli", "bin", Path.GetFileName(Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, ".."))), "net10.0", "funcx"));

    private readonly string _directory = Directory.CreateTempSubdirectory("funcx-live-tests-").FullName;
    private FakeService _service = null!;
    private Process? _process;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await FakeService.StartAsync();
        _service.State.AddFunction("same");
        _service.State.AddEndpoint("lab");
        await File.WriteAllTextAsync(Path.Combine(_directory, "token"), FakeService.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
            _process.Kill();
        _process?.Dispose();
        await _service.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(Hangup)]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public async Task A_map_answers_each_line_as_it_comes_and_ends_at_once_when_it_is_interrupted(int signal)
    {
        var process = Start("map", "same", "lab", "--group", "live");

        foreach (var line in new[] { "1", "[2]", "\"three\"" })
        {
            await process.StandardInput.WriteLineAsync(line);
            await process.StandardInput.FlushAsync(Token);
            (await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(Moment, Token)).ShouldBe(line.Trim('[', ']'));
        }

        _service.State.Holding = true;
        await process.StandardInput.WriteLineAsync("4");
        await process.StandardInput.FlushAsync(Token);
        await _service.State.AcceptedAsync(4).WaitAsync(Moment, Token);
        (await EndAsync(process, signal)).ShouldBe((130, "group live\nfuncx: interrupted\n"));
        _service.State.Cancelled.ShouldHaveSingleItem().ShouldEndWith("-0");
    }

    [Fact]
    public async Task Results_of_a_group_are_printed_as_they_come()
    {
        await using var client = _service.Client(new FuncX.Client.FuncXClientOptions { Group = "live" });
        await (await client.SubmitAsync<int, int>(_service.State.Functions[0], _service.State.Endpoints[0], 1, cancellation: Token)).Accepted;
        _service.State.Holding = true;
        await (await client.SubmitAsync<int, int>(_service.State.Functions[0], _service.State.Endpoints[0], 2, cancellation: Token)).Accepted;
        var process = Start("group", "results", "live");

        var first = await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(Moment, Token);
        _service.State.Release();
        var second = await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(Moment, Token);

        first!.ShouldContain("\"value\":1");
        second!.ShouldContain("\"value\":2");
    }

    private Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["FUNCX_CONFIG_DIR"] = _directory;
        foreach (var argument in (string[])[.. arguments, "--service", _service.Address.ToString(), "--token-file", Path.Combine(_directory, "token")])
            start.ArgumentList.Add(argument);
        return _process = Process.Start(start)!;
    }

    private static async Task<(int Code, string Error)> EndAsync(Process process, int signal)
    {
        Kill(process.Id, signal).ShouldBe(0);
        var error = await process.StandardError.ReadToEndAsync(Token).WaitAsync(Moment, Token);
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, error);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
