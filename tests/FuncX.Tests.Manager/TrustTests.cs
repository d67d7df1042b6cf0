using System.Diagnostics;
using System.Text.Json.Nodes;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Whom a manager trusts with its block's secret: the endpoint that the rendezvous file names, and that file only while it is its user's own.</summary>
public sealed class TrustTests
{
    [Theory]
    [InlineData("another certificate's")]
    [InlineData("one digit different")]
    public void An_endpoint_with_another_certificate_is_refused_before_it_is_told_anything(string kind)
    {
        var named = "";
        using var node = new NodeUnderTest(_ => NodeUnderTest.Settings(), before: endpoint =>
        {
            named = kind == "one digit different" ? endpoint.Fingerprint[..^1] + (endpoint.Fingerprint[^1] == '0' ? '1' : '0') : new string('a', 64);
            endpoint.WriteRendezvous(named);
        });
        node.Eventually(() => node.Said.Contains($"its certificate has the fingerprint {node.Endpoint.Fingerprint}, and the rendezvous file names {named}", StringComparison.Ordinal), "a refusal");
        // It goes on trying: the file may be written anew.
        node.Eventually(() => node.Endpoint.Accepted > 1, "the next try");
        (node.Endpoint.Connections, node.Endpoint.Hellos.Count).ShouldBe((0, 0));

        node.Endpoint.WriteRendezvous();
        node.Ready().Run("echo", "[1]").Value.ShouldBe("1");
        node.Endpoint.Hellos.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("0640", "others may read or write it (0640). Run: chmod 600 ")]
    [InlineData("0604", "others may read or write it (0604). Run: chmod 600 ")]
    [InlineData("0620", "others may read or write it (0620). Run: chmod 600 ")]
    [InlineData("0602", "others may read or write it (0602). Run: chmod 600 ")]
    public void A_rendezvous_file_that_others_may_use_is_not_used(string mode, string reason) =>
        IsNotUsed(reason, file => File.SetUnixFileMode(file, (UnixFileMode)Convert.ToInt32(mode, 8)));

    [Fact]
    public void A_rendezvous_file_of_another_user_is_not_used()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give a file away");
        IsNotUsed("it belongs to user id 65534, and this is 0", static file =>
        {
            using var chown = Process.Start("chown", ["65534", file]);
            chown.WaitForExit();
            chown.ExitCode.ShouldBe(0);
        });
    }

    [Fact]
    public void A_link_to_a_rendezvous_file_is_not_used() => IsNotUsed("it is a symbolic link", static file =>
    {
        File.Move(file, file + ".elsewhere");
        File.CreateSymbolicLink(file, file + ".elsewhere");
    });

    [Fact]
    public void A_pipe_in_the_place_of_a_rendezvous_file_is_not_waited_for() => IsNotUsed("it is no regular file", static file =>
    {
        File.Delete(file);
        using var mkfifo = Process.Start("mkfifo", ["-m", "600", file]);
        mkfifo.WaitForExit();
        mkfifo.ExitCode.ShouldBe(0);
    });

    [Theory]
    [InlineData("null", "it lacks addresses, fingerprint, secret or block")]
    [InlineData("""{"addresses": null}""", "it lacks addresses, fingerprint, secret or block")]
    [InlineData("""{"addresses": [], "fingerprint": "abc", "secret": "", "block": ""}""", "its fingerprint 'abc' is none; a SHA-256 has 64 hexadecimal digits")]
    [InlineData("""{"addresses": [], "fingerprint": "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "secret": "", "block": ""}""", "is none; a SHA-256 has 64 hexadecimal digits")]
    [InlineData("{", "open JSON object")]
    public void A_rendezvous_file_that_is_none_is_said(string text, string reason) => IsNotUsed(reason, file => File.WriteAllText(file, text));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:99999999999")]
    [InlineData("127.0.0.1:-1")]
    public void An_address_that_is_none_is_said(string address)
    {
        using var node = new NodeUnderTest(_ => NodeUnderTest.Settings(), before: endpoint => Replace(endpoint, address));
        node.Eventually(() => node.Said.Contains($"connection to endpoint {address}: '{address}' is not host:port", StringComparison.Ordinal), "a refusal");
        node.Endpoint.WriteRendezvous();
        node.Ready();

        static void Replace(EndpointStandIn endpoint, string address)
        {
            var file = JsonNode.Parse(File.ReadAllText(endpoint.RendezvousFile))!;
            file["addresses"] = new JsonArray(address);
            File.WriteAllText(endpoint.RendezvousFile, file.ToJsonString());
        }
    }

    /// <summary>The manager says why, dials nobody, and takes the file once it is right.</summary>
    private static void IsNotUsed(string reason, Action<string> spoil)
    {
        using var node = new NodeUnderTest(_ => NodeUnderTest.Settings(), before: endpoint => spoil(endpoint.RendezvousFile));
        node.Eventually(() => node.Said.Contains($"rendezvous file {node.Endpoint.RendezvousFile}: ", StringComparison.Ordinal), "a refusal");
        node.Said.ShouldContain(reason);
        (node.Endpoint.Accepted, node.Endpoint.Hellos.Count).ShouldBe((0, 0));

        node.Endpoint.WriteRendezvous();
        node.Ready();
        (node.Endpoint.Accepted, node.Endpoint.Hellos.Count).ShouldBe((1, 1));
    }
}
