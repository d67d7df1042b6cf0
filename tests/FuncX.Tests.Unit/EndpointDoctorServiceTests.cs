using System.Net;
using System.Net.Sockets;
using System.Text;
using FuncX.Endpoint.Doctor;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The service, the clock and the addresses that managers dial, as the doctor finds them.</summary>
public sealed class EndpointDoctorServiceTests : EndpointDoctorHarness
{
    [Theory]
    [InlineData("NameUnknown", "its name has no address here", "check the spelling of 'service'")]
    [InlineData("NotConnected", "nobody takes the connection", "start the service")]
    [InlineData("NotTrusted", "no TLS connection to be trusted", "SSL_CERT_FILE")]
    [InlineData("NotHttp2", "does not speak HTTP/2", "must pass on HTTP/2")]
    [InlineData("TooLate", "https://funcx.example.org: said so", "firewall")]
    public async Task A_service_that_is_not_reached_is_found_each_way_with_a_cure_of_its_own(string reach, string seen, string cure)
    {
        Machine.Service = new ServiceAnswer(Enum.Parse<ServiceReach>(reach), "said so");
        var findings = await ExamineAsync(Local);
        var finding = findings.Where(IsBad).ShouldHaveSingleItem();
        (finding.Check, finding.State).ShouldBe(("service", FindingState.Problem));
        finding.Seen.ShouldContain(seen);
        finding.Cure.ShouldContain(cure);
        Of(findings, "clock").State.ShouldBe(FindingState.Skipped);
    }

    [Theory]
    [InlineData(true, "this machine's clock is 61 s behind that of the service")]
    [InlineData(false, "this machine's clock is 61 s ahead of that of the service")]
    public async Task A_clock_that_is_wrong_is_a_warning_with_the_number(bool isBehind, string seen)
    {
        Machine.Service = new ServiceAnswer(ServiceReach.Answered, Ahead: TimeSpan.FromSeconds(isBehind ? 61 : -61));
        await BreaksAsync("clock", seen, "NTP", FindingState.Warning);
    }

    [Fact]
    public async Task A_real_service_tells_the_time_and_a_port_of_nobody_nothing()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow - TimeSpan.FromMinutes(1));
        var service = await PlayedService.StartAsync();
        await using (service)
        {
            var answer = await new ServiceProbe(time).AskAsync(service.Address, TestContext.Current.CancellationToken);
            answer.Reach.ShouldBe(ServiceReach.Answered, answer.Said);
            answer.Ahead.ShouldNotBeNull().TotalSeconds.ShouldBeInRange(50, 110);
        }

        (await new ServiceProbe(time).AskAsync(service.Address, TestContext.Current.CancellationToken)).Reach.ShouldBe(ServiceReach.NotConnected);
    }

    [Fact]
    public async Task What_answers_in_another_protocol_is_no_service()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = Task.Run(async () =>
        {
            using var peer = await listener.AcceptTcpClientAsync();
            var stream = peer.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
            peer.Client.Shutdown(SocketShutdown.Send);
            await stream.CopyToAsync(Stream.Null);
        });
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        (await new ServiceProbe(TimeProvider.System).AskAsync($"http://127.0.0.1:{port}", TestContext.Current.CancellationToken)).Reach.ShouldBe(ServiceReach.NotHttp2);
        (await new ServiceProbe(TimeProvider.System).AskAsync($"https://127.0.0.1:{PortOfPlainText()}", TestContext.Current.CancellationToken)).Reach.ShouldBe(ServiceReach.NotTrusted);
        await answering;
    }

    [Fact]
    public async Task Loopback_alone_is_no_address_for_nodes()
    {
        Machine.Addresses = [IPAddress.Loopback];
        await BreaksAsync("addresses", "managers could dial 127.0.0.1 only, which no other machine reaches (interfaces: lo)", "name an interface in `interfaces` that compute nodes reach", yaml: $"{Slurm}\ninterfaces: [lo]");
    }

    [Fact]
    public async Task An_interface_that_is_not_there_is_found()
    {
        Machine.AddressProblem = "this machine has no network interface 'hsn0' (interfaces); it has lo, eth0";
        await BreaksAsync("addresses", "this machine has no network interface 'hsn0'", "as `ip -br address` lists them", yaml: Slurm);
    }

    [Fact]
    public async Task A_machine_whose_own_name_has_no_address_is_a_warning()
    {
        Machine.OwnName = [];
        await BreaksAsync("addresses", "this machine's own name 'login1' has no address", "/etc/hosts", FindingState.Warning, Slurm);
    }

    private static int PortOfPlainText()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = Task.Run(async () =>
        {
            using var peer = await listener.AcceptTcpClientAsync();
            await peer.GetStream().WriteAsync(Encoding.ASCII.GetBytes("220 mail.example.org ESMTP\r\n"));
            peer.Client.Shutdown(SocketShutdown.Send);
            listener.Dispose();
        });
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
