using System.Globalization;
using System.Text;
using System.Text.Json;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Observation;

/// <summary>The logs of real processes: where they are, how they follow each other, and what they never hold.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class LogTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int Size = 64 << 10;

    private readonly string _home = LocalCluster.NewDirectory("logs");

    [LongFact]
    public async Task An_endpoint_s_log_is_followed_by_another_at_its_size_and_no_line_is_lost() => await Scenario.RunAsync(await LocalCluster.StartServiceAsync(), async cluster =>
    {
        await cluster.AddEndpointAsync(new EndpointOptions { MoreYaml = "logs: {size: 64KiB, files: 3}" });
        var file = cluster.Endpoint.Configuration;
        var log = Path.Combine(cluster.Endpoint.StateDirectory, "logs", "endpoint.log");
        await RunAsync("restart", "--config", file);
        await cluster.Endpoint.WaitForExitAsync();
        LogsOf(log).ShouldBe([log]);

        // A follower that begins before sees each line once and in order, whatever the files are called meanwhile.
        var followed = Path.Combine(_home, "followed");
        await using (Daemon.Start([Contracts.Programs.Endpoint, "logs", "--follow", "-n", "100000", "--config", file], followed))
        {
            await Eventually.TrueAsync(() => Read(followed).Contains("is ready", StringComparison.Ordinal), "the follower shows the beginning", seen: () => Read(followed));
            for (var turn = 0; turn < 3; turn++)
            {
                // Full but for less than the next message: that one, of the process that comes, is the first of another file.
                Fill(log, turn);
                await Eventually.TrueAsync(() => Read(followed).Contains($"turn {turn} end\n", StringComparison.Ordinal), "the follower shows what was written");
                await RunAsync("restart", "--config", file);
                Read(log).ShouldNotContain("turn");
                Read(log).ShouldContain("is ready");
                Read(log + ".1").ShouldEndWith($"turn {turn} end\n");
            }

            // What the runtime itself would say of a process that dies belongs to the log too.
            using (var status = JsonDocument.Parse(await RunAsync("status", "--json", "--config", file)))
                new FileInfo($"/proc/{status.RootElement.GetProperty("pid").GetInt32()}/fd/2").LinkTarget.ShouldBe(log);
            await RunAsync("stop", "--config", file);
            await Eventually.TrueAsync(() => Read(followed).EndsWith(Read(log), StringComparison.Ordinal), "the follower is at the end", seen: () => Read(followed));
            var shown = Read(followed);
            for (var turn = 0; turn < 3; turn++)
                Count(shown, $"turn {turn} end\n").ShouldBe(1);
            Read(log + ".2").Length.ShouldBeLessThanOrEqualTo(Size);
            shown.EndsWith(Read(log + ".2") + Read(log + ".1") + Read(log), StringComparison.Ordinal).ShouldBeTrue("the follower shows all lines in order");
        }

        LogsOf(log).ShouldBe([log, log + ".1", log + ".2"]);
        LogsOf(log).Select(File.GetUnixFileMode).ShouldAllBe(static mode => mode == OwnerOnly);
        // What is asked for goes back over the files.
        var lines = (Read(log + ".2") + Read(log + ".1") + Read(log)).Split('\n')[..^1];
        var wanted = Read(log).Count(static letter => letter == '\n') + Read(log + ".1").Count(static letter => letter == '\n') + 1;
        (await RunAsync("logs", "-n", wanted.ToString(CultureInfo.InvariantCulture), "--config", file)).ShouldBe(string.Join('\n', lines[^wanted..]) + "\n");
        (await RunAsync("logs", "-n", "1", "--config", file)).ShouldBe(lines[^1] + "\n");
        foreach (var secret in await SecretsAsync(cluster))
            string.Concat(LogsOf(log).Select(Read)).ShouldNotContain(secret);
    });

    [Fact]
    public async Task A_service_s_log_has_its_file_in_lines_of_JSON_and_a_refusal_is_told_to_the_terminal()
    {
        var log = Path.Combine(_home, "service.log");
        // One line longer than a file may be, and readable by others.
        await File.WriteAllTextAsync(log, new string('x', Size - 10) + "\n");
        File.SetUnixFileMode(log, OwnerOnly | UnixFileMode.OtherRead);
        await File.WriteAllTextAsync(log + ".7", "of a longer row\n");
        await Scenario.RunAsync(await LocalCluster.StartServiceWithAsync($"logs: {{file: {log}, size: 64KiB, files: 2, format: json}}"), async cluster =>
        {
            await cluster.AddEndpointAsync(new EndpointOptions { MoreYaml = "logs: {format: json}" });
            LogsOf(log).ShouldBe([log, log + ".1"]);
            LogsOf(log).Select(File.GetUnixFileMode).ShouldAllBe(static mode => mode == OwnerOnly);
            Read(log + ".1").Length.ShouldBe(Size - 9);
            Messages(Read(log)).ShouldContain(message => message.Contains($"is ready at {cluster.Service.Address}", StringComparison.Ordinal));
            cluster.Service.Tail.ShouldBe("", "all of it is in the file");
            Messages(cluster.Endpoint.Tail).ShouldContain(message => message.StartsWith("endpoint 'test'", StringComparison.Ordinal) && message.Contains("is ready", StringComparison.Ordinal));

            var second = Path.Combine(_home, "second.yaml");
            await File.WriteAllTextAsync(second, $"logs: {{file: {_home}/second.log}}");
            var (exitCode, output) = await Daemon.RunAsync(
                [Contracts.Programs.Service, "start", "--data-dir", cluster.Service.DataDirectory, "--config", second], Path.Combine(_home, "second.out"), Eventually.Patience);
            exitCode.ShouldBe(1);
            output.ShouldContain("is active on the data directory");
            await File.WriteAllTextAsync(second, $"logs: {{file: {_home}/nowhere/x.log}}");
            (exitCode, output) = await Daemon.RunAsync(
                [Contracts.Programs.Service, "start", "--data-dir", Path.Combine(_home, "other"), "--config", second], Path.Combine(_home, "third.out"), Eventually.Patience);
            exitCode.ShouldBe(1);
            output.ShouldContain($"logs.file: the log {_home}/nowhere/x.log cannot be opened");
            foreach (var secret in await SecretsAsync(cluster))
                (Read(log) + cluster.Endpoint.Tail).ShouldNotContain(secret);
        });
    }

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private static async Task<string[]> SecretsAsync(LocalCluster cluster)
    {
        using var identity = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(cluster.Endpoint.StateDirectory, "identity.json")));
        return [(await File.ReadAllTextAsync(cluster.TokenFile)).Trim(), identity.RootElement.GetProperty("credential").GetString()!];
    }

    private static void Fill(string log, int turn)
    {
        var text = new StringBuilder();
        for (var left = Size - new FileInfo(log).Length - 20; text.Length < left - 30;)
            text.Append(CultureInfo.InvariantCulture, $"turn {turn} at {text.Length}\n");
        File.AppendAllText(log, text.Append(CultureInfo.InvariantCulture, $"turn {turn} end\n").ToString());
    }

    private static string[] LogsOf(string log) => [.. Directory.EnumerateFiles(Path.GetDirectoryName(log)!, Path.GetFileName(log) + "*").Order(StringComparer.Ordinal)];

    private static List<string> Messages(string lines) => [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line =>
    {
        using var message = JsonDocument.Parse(line);
        message.RootElement.GetProperty("Timestamp").GetString()!.ShouldEndWith("Z");
        message.RootElement.GetProperty("LogLevel").GetString().ShouldNotBeNullOrEmpty();
        return message.RootElement.GetProperty("Message").GetString()!;
    })];

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static string Read(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd();
    }

    private async Task<string> RunAsync(params string[] arguments) => (await EndpointCommand.RunAsync(_home, arguments)).ShouldEnd(0).Output;
}
