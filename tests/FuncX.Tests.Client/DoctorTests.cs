using System.Text.Json;
using FuncX.Contracts;
using FuncX.Contracts.V1;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>Each finding of <c>funcx doctor</c>, with its cause made and unmade.</summary>
[Collection(nameof(CommandHarness))]
public sealed class DoctorTests : CommandHarness
{
    [Fact]
    public async Task All_is_well()
    {
        Service.State.AddEndpoint("lab");
        var (code, findings) = await FindAsync();
        code.ShouldBe(0);
        findings["login"].ShouldBe(("ok", $"the token in {TokenFile}"));
        findings["service"].State.ShouldBe("ok");
        findings["service"].Detail.ShouldStartWith($"http://127.0.0.1:{Service.Port} answers in ");
        findings["endpoint lab"].ShouldBe(("ok", "online, 2 workers, 0 of them busy"));

        var people = await ServiceAsync("doctor");
        people.Output.ShouldContain("endpoint lab");
        people.Output.ShouldContain("online, 2 workers, 0 of them busy");
    }

    [Fact]
    public async Task What_is_wrong_with_the_login_is_said()
    {
        var (code, output, _) = await RunAsync("", "doctor", "--json");
        code.ShouldBe(1);
        Findings(output)["login"].ShouldBe(("failed", "You are not logged in. Run: funcx login ADDRESS (or pass --service and --token-file)"));

        var path = Path.Combine(DirectoryPath, "credentials.json");
        var address = $"http://127.0.0.1:{Service.Port}";
        new CredentialsFile { Current = address, Tokens = { [address] = Fake.FakeService.Token } }.Write(path);
        Findings((await RunAsync("", "doctor", "--json")).Output)["login"].ShouldBe(("ok", $"{path}, mode 0600"));

        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        var login = Findings((await RunAsync("", "doctor", "--json")).Output)["login"];
        login.State.ShouldBe("failed");
        login.Detail.ShouldContain($"chmod 600 {path}");
    }

    [Fact]
    public async Task A_token_that_is_not_taken_and_a_service_that_is_not_there_are_told_apart()
    {
        await File.WriteAllTextAsync(TokenFile, "another-token");
        var (code, findings) = await FindAsync();
        code.ShouldBe(1);
        findings["service"].State.ShouldBe("failed");
        var refused = findings["service"].Detail;
        findings.Keys.ToArray().ShouldBe(["login", "service"], customMessage: "what depends on it is not asked");

        var (_, output, _) = await RunAsync("", "doctor", "--json", "--service", "http://127.0.0.1:1", "--token-file", TokenFile);
        var away = Findings(output)["service"];
        away.State.ShouldBe("failed");
        away.Detail.ShouldContain("127.0.0.1:1");
        away.Detail.ShouldNotBe(refused);
    }

    [Fact]
    public async Task What_is_wrong_with_endpoints_is_said_of_each()
    {
        var (code, none) = await FindAsync();
        code.ShouldBe(1);
        none["endpoints"].Detail.ShouldContain("funcx-endpoint init");

        var lab = Service.State.AddEndpoint("lab");
        lab.Online = false;
        (code, var offline) = await FindAsync();
        code.ShouldBe(1);
        offline["endpoint lab"].ShouldBe(("warning", "offline, last seen 2023-11-14 22:13:20Z; on its machine: funcx-endpoint status, funcx-endpoint logs"));
        offline["endpoints"].ShouldBe(("failed", "none is online: calls wait at the service until one is"));

        var cluster = Service.State.AddEndpoint("cluster");
        cluster.Status = new EndpointStatus { Note = "no block yet: the queue is closed" };
        (code, var one) = await FindAsync();
        code.ShouldBe(0);
        one["endpoint cluster"].ShouldBe(("warning", "online; no block yet: the queue is closed"));
        one.Keys.ShouldNotContain("endpoints");

        cluster.Status = new EndpointStatus { Workers = 64, WorkersBusy = 5 };
        cluster.Version = "0.0.9";
        (await FindAsync()).Findings["endpoint cluster"].ShouldBe(("warning", "online with version 0.0.9; this command has 0.1.0"));
        cluster.Version = "0.1.0";
        (await FindAsync()).Findings["endpoint cluster"].ShouldBe(("ok", "online, 64 workers, 5 of them busy"));
    }

    private async Task<(int Code, Dictionary<string, (string State, string Detail)> Findings)> FindAsync()
    {
        var (code, output, _) = await ServiceAsync("doctor", "--json");
        return (code, Findings(output));
    }

    private static Dictionary<string, (string State, string Detail)> Findings(string output)
    {
        using var document = JsonDocument.Parse(output);
        return document.RootElement.EnumerateArray().ToDictionary(
            static finding => finding.GetProperty("check").GetString()!,
            static finding => (finding.GetProperty("state").GetString()!, finding.GetProperty("detail").GetString()!));
    }
}
