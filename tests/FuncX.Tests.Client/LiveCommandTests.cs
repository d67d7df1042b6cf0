using System.Diagnostics;
using System.Runtime.InteropServices;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>The command as a process of its own, with pipes that stay open: what it does while nothing comes, and when a signal does.</summary>
public sealed partial class LiveCommandTests : LiveCommandHarness
{
    private const int Hangup = 1;
    private const int Interrupt = 2;
    private const int Terminate = 15;

    // What takes a moment, on a machine that is busy; well below the 30 s that the command waits before it breaks an action off.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(60);

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Service.State.AddFunction("same");
        Service.State.AddEndpoint("lab");
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

        Service.State.Holding = true;
        await process.StandardInput.WriteLineAsync("4");
        await process.StandardInput.FlushAsync(Token);
        await Service.State.AcceptedAsync(4).WaitAsync(Moment, Token);
        (await EndAsync(process, signal)).ShouldBe((130, "group live\nfuncx: interrupted\n"));
        Service.State.Cancelled.ShouldHaveSingleItem().ShouldEndWith("-0");
    }

    [Fact]
    public async Task Results_of_a_group_are_printed_as_they_come()
    {
        await using var client = Service.Client(new FuncX.Client.FuncXClientOptions { Group = "live" });
        await (await client.SubmitAsync<int, int>(Service.State.Functions[0], Service.State.Endpoints[0], 1, cancellation: Token)).Accepted;
        Service.State.Holding = true;
        await (await client.SubmitAsync<int, int>(Service.State.Functions[0], Service.State.Endpoints[0], 2, cancellation: Token)).Accepted;
        var process = Start("group", "results", "live");

        var first = await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(Moment, Token);
        Service.State.Release();
        var second = await process.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(Moment, Token);

        first!.ShouldContain("\"value\":1");
        second!.ShouldContain("\"value\":2");
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
