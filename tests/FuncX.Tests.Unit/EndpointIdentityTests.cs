using FuncX.Configuration;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Identity;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointIdentityTests : IDisposable
{
    private readonly ConfigurationScratch _scratch = new();

    [Fact]
    public void A_state_directory_is_made_private()
    {
        var path = Path.Combine(_scratch.Path, "deep", "state");
        StateDirectory.Prepare(path);
        File.GetUnixFileMode(path).ShouldBe(FileModes.PrivateDirectory);
        StateDirectory.Prepare(path);
    }

    [Fact]
    public void A_state_directory_open_to_others_is_refused_with_the_command_that_helps()
    {
        var path = Path.Combine(_scratch.Path, "state");
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, FileModes.PrivateDirectory | UnixFileMode.GroupRead);
        Should.Throw<EndpointRefusedException>(() => StateDirectory.Prepare(path)).Message.ShouldContain($"chmod 700 {path}");
        var file = _scratch.Write("file", "");
        Should.Throw<EndpointRefusedException>(() => StateDirectory.Prepare(file)).Message.ShouldContain("is a file");
    }

    [Fact]
    public void The_certificate_is_made_once_and_its_key_is_private()
    {
        using var first = CertificateFile.LoadOrCreate(_scratch.Path, TimeProvider.System);
        using var second = CertificateFile.LoadOrCreate(_scratch.Path, TimeProvider.System);
        second.Fingerprint.ShouldBe(first.Fingerprint);
        second.Certificate.HasPrivateKey.ShouldBeTrue();
        first.Fingerprint.Length.ShouldBe(64);
        var path = Path.Combine(_scratch.Path, "certificate.pem");
        File.GetUnixFileMode(path).ShouldBe(FileModes.PrivateFile);
        File.SetUnixFileMode(path, FileModes.PrivateFile | UnixFileMode.OtherRead);
        Should.Throw<EndpointRefusedException>(() => CertificateFile.LoadOrCreate(_scratch.Path, TimeProvider.System)).Message.ShouldContain("chmod 600");
        File.SetUnixFileMode(path, FileModes.PrivateFile);
        File.WriteAllText(path, "rubbish");
        Should.Throw<EndpointRefusedException>(() => CertificateFile.LoadOrCreate(_scratch.Path, TimeProvider.System)).Message.ShouldContain("cannot be used");
    }

    [Fact]
    public async Task Without_a_token_registration_says_where_one_is_looked_for()
    {
        var token = Path.Combine(_scratch.Path, "token");
        var refused = await Should.ThrowAsync<EndpointRefusedException>(() => RegistrationWith(token).LoadOrRegisterAsync(CancellationToken.None));
        refused.Message.ShouldContain(token);
        _scratch.Write("token", "fxt_secret", FileModes.PrivateFile | UnixFileMode.GroupRead);
        refused = await Should.ThrowAsync<EndpointRefusedException>(() => RegistrationWith(token).LoadOrRegisterAsync(CancellationToken.None));
        refused.Message.ShouldContain("chmod 600");
        refused.Message.ShouldNotContain("fxt_secret");
    }

    [Fact]
    public async Task An_endpoint_that_is_registered_starts_while_its_service_is_away()
    {
        PrivateFile.WriteJson(Path.Combine(_scratch.Path, "identity.json"), new IdentityFile("e1", "fxe_credential", "http://127.0.0.1:9", "a"));
        var identity = await RegistrationWith(null).LoadOrRegisterAsync(CancellationToken.None);
        identity.EndpointId.ShouldBe("e1");
        identity.Credential.ShouldBe("fxe_credential");
        identity.Instance.Length.ShouldBe(32);
    }

    [Fact]
    public void The_control_socket_of_a_superseded_process_does_not_take_its_successors_away()
    {
        var control = new ControlSocket(_scratch.Path);
        File.WriteAllText(control.Path, "");
        control.Publish();
        new FileInfo(ControlSocket.LinkIn(_scratch.Path)).LinkTarget.ShouldBe(Path.GetFileName(control.Path));
        File.Delete(ControlSocket.LinkIn(_scratch.Path));
        File.CreateSymbolicLink(ControlSocket.LinkIn(_scratch.Path), "control-1.sock");
        control.Withdraw();
        new FileInfo(ControlSocket.LinkIn(_scratch.Path)).LinkTarget.ShouldBe("control-1.sock");
        Should.Throw<EndpointRefusedException>(() => new ControlSocket("/" + new string('x', 120))).Message.ShouldContain("too long");
    }

    [Fact]
    public async Task Nobody_answers_where_no_endpoint_runs()
    {
        using var client = new ControlClient(_scratch.Path);
        (await client.StatusAsync(CancellationToken.None)).ShouldBeNull();
        (await client.StopAsync(force: false, CancellationToken.None)).ShouldBeFalse();
    }

    public void Dispose() => _scratch.Dispose();

    private EndpointRegistration RegistrationWith(string? tokenFile)
    {
        var configuration = EndpointConfigurationFile.Parse("x.yaml", $"name: a\nservice: http://127.0.0.1:9\nstate_dir: {_scratch.Path}\n").Value!;
        return new EndpointRegistration(configuration, tokenFile, TimeProvider.System, NullLogger<EndpointRegistration>.Instance);
    }
}
