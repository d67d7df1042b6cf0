using System.Net.Sockets;
using System.Text;
using FuncX.Configuration;
using FuncX.Endpoint.Control;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointControlTests : IDisposable
{
    private readonly ConfigurationScratch _scratch = new();
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void The_control_socket_of_a_superseded_process_does_not_take_its_successors_away()
    {
        using var control = new ControlSocket(_scratch.Path);
        File.WriteAllText(control.Path, "");
        control.Publish();
        ControlSocket.OwnerIn(_scratch.Path).ShouldBe(ControlOwner.Self);
        File.Delete(ControlSocket.LinkIn(_scratch.Path));
        File.CreateSymbolicLink(ControlSocket.LinkIn(_scratch.Path), "control-1.host.sock");
        control.Withdraw();
        Directory.EnumerateFileSystemEntries(_scratch.Path).Select(Path.GetFileName).ShouldBe(["control.sock"]);
        ControlSocket.OwnerIn(_scratch.Path).ShouldBe(new ControlOwner("host", 1));
    }

    [Fact]
    public void Only_sockets_that_dead_processes_of_this_machine_left_are_removed()
    {
        var here = Environment.MachineName;
        using var alive = Listen(Path.Combine(_scratch.Path, new ControlOwner(here, 1).SocketName));
        using (Listen(Path.Combine(_scratch.Path, "dead")))
            File.Move(Path.Combine(_scratch.Path, "dead"), Path.Combine(_scratch.Path, new ControlOwner(here, 2).SocketName));
        using (Listen(Path.Combine(_scratch.Path, "elsewhere")))
            File.Move(Path.Combine(_scratch.Path, "elsewhere"), Path.Combine(_scratch.Path, new ControlOwner("elsewhere", 2).SocketName));
        using var control = new ControlSocket(_scratch.Path);
        File.WriteAllText(control.Path, "");
        control.Prepare();
        Directory.EnumerateFiles(_scratch.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)
            .ShouldBe(new[] { $"control-1.{here}.sock", "control-2.elsewhere.sock" }.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("login2", 7)]
    [InlineData("", 7)]
    [InlineData("a.sock", 4_194_304)]
    public void A_sockets_name_says_whose_it_is(string host, int pid)
    {
        var owner = new ControlOwner(host, pid);
        ControlOwner.Of(owner.SocketName).ShouldBe(owner);
        ControlOwner.Of("control-7.sock").ShouldBeNull();
        ControlOwner.Of($"../{owner.SocketName}").ShouldBeNull();
    }

    [Fact]
    public async Task Nobody_answers_where_no_endpoint_runs()
    {
        using var client = new ControlClient(_scratch.Path, _time);
        client.Owner.ShouldBeNull();
        (await client.StatusAsync(CancellationToken.None)).ShouldBeNull();
        (await client.StopAsync(force: false, CancellationToken.None)).ShouldBeFalse();
    }

    [Fact]
    public async Task An_endpoint_of_another_machine_is_named_and_not_asked()
    {
        File.CreateSymbolicLink(ControlSocket.LinkIn(_scratch.Path), "control-7.login2.sock");
        using var listener = Listen(Path.Combine(_scratch.Path, "control-7.login2.sock"));
        using var client = new ControlClient(_scratch.Path, _time);
        client.Owner.ShouldBe(new ControlOwner("login2", 7));
        (await client.StatusAsync(CancellationToken.None)).ShouldBeNull();
        listener.Poll(0, SelectMode.SelectRead).ShouldBeFalse();
    }

    [Fact]
    public async Task An_endpoint_that_hangs_is_told_apart_from_one_that_does_not_run()
    {
        using var control = new ControlSocket(_scratch.Path);
        using var listener = Listen(control.Path);
        control.Publish();
        using var client = new ControlClient(_scratch.Path, _time);
        var asked = client.StatusAsync(CancellationToken.None);
        using var connection = await listener.AcceptAsync();
        _time.Advance(TimeSpan.FromSeconds(10));
        var problem = await Should.ThrowAsync<ControlException>(asked);
        problem.Message.ShouldContain($"process {Environment.ProcessId}");
        problem.Message.ShouldContain("did not answer within 10 s");
    }

    [Theory]
    [InlineData("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "answers GET /status with 500")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "answers what is no status")]
    [InlineData("rubbish\r\n\r\n", "cannot be asked")]
    public async Task An_answer_that_makes_no_sense_is_told(string answer, string message)
    {
        using var control = new ControlSocket(_scratch.Path);
        using var listener = Listen(control.Path);
        control.Publish();
        using var client = new ControlClient(_scratch.Path, _time);
        var asked = client.StatusAsync(CancellationToken.None);
        using (var connection = await listener.AcceptAsync())
        {
            await connection.ReceiveAsync(new byte[4_096]);
            await connection.SendAsync(Encoding.ASCII.GetBytes(answer));
            connection.Shutdown(SocketShutdown.Send);
            (await Should.ThrowAsync<ControlException>(asked)).Message.ShouldContain(message);
        }
    }

    [Fact]
    public async Task A_state_directory_with_a_path_too_long_for_sockets_has_one_all_the_same()
    {
        var directory = Path.Combine(_scratch.Path, new string('x', 120));
        Directory.CreateDirectory(directory, FileModes.PrivateDirectory);
        using var control = new ControlSocket(directory);
        Encoding.UTF8.GetByteCount(control.Path).ShouldBeLessThan(108);
        using (var listener = Listen(control.Path))
        {
            control.Publish();
            Directory.Exists(Path.GetDirectoryName(control.Path)).ShouldBeFalse("the short way is there only while it is needed");
            using var client = new ControlClient(directory, _time);
            var asked = client.StopAsync(force: false, CancellationToken.None);
            using var connection = await listener.AcceptAsync();
            await connection.ReceiveAsync(new byte[4_096]);
            await connection.SendAsync("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            (await asked).ShouldBeTrue();
        }

        control.Withdraw();
        Directory.EnumerateFileSystemEntries(directory).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_end_of_a_process_is_waited_for_as_long_as_was_said()
    {
        using var client = new ControlClient(_scratch.Path, _time);
        (await client.WaitForEndAsync(int.MaxValue, TimeSpan.Zero, CancellationToken.None)).ShouldBeTrue();
        var waiting = client.WaitForEndAsync(Environment.ProcessId, TimeSpan.FromSeconds(5), CancellationToken.None);
        _time.Advance(TimeSpan.FromSeconds(4.9));
        waiting.IsCompleted.ShouldBeFalse();
        while (!waiting.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        (await waiting).ShouldBeFalse();
    }

    public void Dispose() => _scratch.Dispose();

    private static Socket Listen(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        socket.Listen();
        return socket;
    }
}
