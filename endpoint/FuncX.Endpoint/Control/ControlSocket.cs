using System.Net.Sockets;
using FuncX.Configuration;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Control;

/// <summary>
/// The Unix socket over which commands reach a running endpoint. Each process binds a name of its own and then points <c>control.sock</c> at it:
/// a process that was superseded removes its own socket when it ends and not that of its successor.
/// </summary>
public sealed class ControlSocket : IDisposable
{
    private readonly string _directory;
    private readonly string _link;
    private readonly string _name = ControlOwner.Self.SocketName;
    private readonly SocketAddress _address;

    /// <exception cref="EndpointRefusedException">The state directory's path is too long for a socket, and no shorter way to it could be made.</exception>
    public ControlSocket(string stateDirectory)
    {
        _directory = stateDirectory;
        _link = LinkIn(stateDirectory);
        _address = new SocketAddress(stateDirectory, _name);
    }

    /// <summary>Where this process binds, once.</summary>
    public string Path => _address.Path;

    /// <summary>What commands follow.</summary>
    public static string LinkIn(string stateDirectory) => System.IO.Path.Combine(stateDirectory, "control.sock");

    /// <summary>The process that <c>control.sock</c> leads to, on whatever machine; null when there is none.</summary>
    public static ControlOwner? OwnerIn(string stateDirectory) =>
        new FileInfo(LinkIn(stateDirectory)).LinkTarget is { } target ? ControlOwner.Of(target) : null;

    /// <summary>Removes what processes of this machine that are gone left behind. Before the listener binds.</summary>
    public void Prepare()
    {
        foreach (var left in Directory.EnumerateFiles(_directory, "control-*.sock"))
        {
            // A socket of another machine refuses every connection from here, and its process may well live.
            if (ControlOwner.Of(System.IO.Path.GetFileName(left)) is { IsOnThisMachine: true } owner && (owner == ControlOwner.Self || !IsAnswered(owner)))
                File.Delete(left);
        }
    }

    /// <summary>Points <c>control.sock</c> here. After the listener has bound.</summary>
    public void Publish()
    {
        File.SetUnixFileMode(System.IO.Path.Combine(_directory, _name), FileModes.PrivateFile);
        var temporary = $"{_link}.{Environment.ProcessId}";
        File.Delete(temporary);
        File.CreateSymbolicLink(temporary, _name);
        File.Move(temporary, _link, overwrite: true);
        _address.Dispose();
    }

    /// <summary>Takes socket and link away, the link if it still points here.</summary>
    public void Withdraw()
    {
        if (OwnerIn(_directory) == ControlOwner.Self)
            File.Delete(_link);
        File.Delete(System.IO.Path.Combine(_directory, _name));
    }

    public void Dispose() => _address.Dispose();

    private bool IsAnswered(ControlOwner owner)
    {
        using var address = new SocketAddress(_directory, owner.SocketName);
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(address.Path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
