using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary>The README's "Five minutes", run by a shell as they are written.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed partial class ReadmeTourTests
{
    private const string Build = "dotnet build -c Release FuncX.sln";
    private const string Publish = "dotnet publish -c Release endpoint/FuncX.Manager";
    private const string Port = "7400";

    [Fact]
    public async Task The_five_minutes_of_the_README_do_what_they_say()
    {
        var directory = LocalCluster.NewDirectory("tour");
        var readme = await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "README.md"));
        var section = Section().Match(readme).Groups[1].Value;
        var script = new List<string> { "set -euo pipefail" };
        script.AddRange(Code().Matches(section).Select(static line => line.Groups[1].Value));
        // Built already, by whoever runs this; the tests run what they were built with.
        script.Remove(Build).ShouldBeTrue(section);
        script.Remove(Publish).ShouldBeTrue(section);
        // Steps 4 and 5 are sentences.
        string[] sentences = ["funcx run square laptop 12 --json", "funcx task show TASK", "funcx endpoint show laptop", "funcx-endpoint stop --config laptop.yaml"];
        foreach (var command in sentences)
            section.ShouldContain($"`{command}`");
        script.Add($"{sentences[0]} | tee run.json");
        script.Add("TASK=$(python3 -c 'import json; print(json.load(open(\"run.json\"))[\"task\"])')");
        script.AddRange(sentences.Skip(1).Select(static command => $"echo '$ {command}'; {command.Replace("TASK", "$TASK", StringComparison.Ordinal)}"));

        var file = Path.Combine(directory, "tour.sh");
        await File.WriteAllTextAsync(file, InThisTree(string.Join('\n', script), FreePort()));
        foreach (var entry in Directory.EnumerateFileSystemEntries(SourceTree.Root).Where(static path => Path.GetFileName(path)[0] != '.'))
            File.CreateSymbolicLink(Path.Combine(directory, Path.GetFileName(entry)), entry);
        var environment = new Dictionary<string, string?> { ["HOME"] = directory, ["FUNCX_CONFIG_DIR"] = null, ["FUNCX_MANAGER"] = null, ["DOTNET_NOLOGO"] = "1", ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1" };
        await using var shell = Daemon.Start(["/bin/bash", file], Path.Combine(directory, "tour.log"), environment, directory);
        try
        {
            await shell.WaitAsync(TimeSpan.FromMinutes(3));
            shell.ExitCode.ShouldBe(0, shell.Tail);
            (await File.ReadAllLinesAsync(Path.Combine(directory, "squares.txt"))).ShouldBe(Enumerable.Range(1, 10_000).Select(static x => $"{(long)x * x}"));
            File.Exists(Path.Combine(directory, "laptop.yaml")).ShouldBeTrue("the endpoint's file lies where the commands were typed");
            var output = await ReadAsync(shell.LogPath);
            Listed().IsMatch(output).ShouldBeTrue(output);
            output.Split('\n').ShouldContain("144");
            Regex.Match(output, @"\$ funcx task show TASK(.*)\$ funcx endpoint show", RegexOptions.Singleline).Groups[1].Value.ShouldContain("worker");
            // The service is still there, and nothing else of the tour.
            var service = ServicePid(directory);
            ProcessTable.Mentioning(directory).Where(entry => entry.Pid != service).Select(static entry => string.Join(' ', entry.Arguments)).ShouldBeEmpty(output);
            ProcessIdentity.Of(service).Terminate().ShouldBeTrue();
            await Eventually.TrueAsync(() => ProcessTable.Mentioning(directory).Count == 0, "the service has stopped", TimeSpan.FromSeconds(20));
        }
        finally
        {
            foreach (var entry in ProcessTable.Mentioning(directory))
                entry.Identity.Kill();
        }

        Directory.Delete(directory, recursive: true);
    }

    // The port may be taken, and an inner loop builds Debug.
    private static string InThisTree(string script, int port)
    {
        script = script.Replace($"127.0.0.1:{Port}", $"127.0.0.1:{port}", StringComparison.Ordinal);
        return SourceTree.Built("sdk/FuncX.Cli", "funcx").Contains("/Release/", StringComparison.Ordinal) ? script : script.Replace("/Release/", "/Debug/", StringComparison.Ordinal);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<string> ReadAsync(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }

    private static int ServicePid(string directory)
    {
        using var state = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "funcx-data", "service.json")));
        return state.RootElement.GetProperty("pid").GetInt32();
    }

    [GeneratedRegex(@"^## Five minutes\n(.*?)^## ", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Section();

    // Every line of code is indented by four columns or, in a list, more.
    [GeneratedRegex(@"^ {4,}(\S.*)$", RegexOptions.Multiline)]
    private static partial Regex Code();

    [GeneratedRegex("laptop.*online", RegexOptions.IgnoreCase)]
    private static partial Regex Listed();
}
