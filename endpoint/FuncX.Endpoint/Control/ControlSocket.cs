using System.Net.Sockets;
using System.Text;
using FuncX.Configuration;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Control;

/// <summary>
/// The Unix socket over which commands reach a running endpoint. Each process binds a name of its own and then points <c>control.sock</c> at it:
/// a process that was superseded removes its own socket when it ends and not that of its successor.
/// </summary>
public sealed class ControlSocket
{
    // sun_path of unix(7), less the zero at its end.
    private const int MaxPath = 107;

    private readonly string _link;

    /// <exception cref="EndpointRefusedException">The state directory's path is too long for a socket.</exception>
    public ControlSocket(string stateDirectory)
    {
        _link = LinkIn(stateDirectory);
        Path = System.IO.Path.Combine(stateDirectory, $"control-{Environment.ProcessId}.sock");
        if (Encoding.UTF8.GetByteCount(Path) > MaxPath)
            throw new EndpointRefusedException($"state_dir {stateDirectory} is too long for a Unix socket in it ({Path} has more than {MaxPath} bytes). Choose a shorter one");
    }

    /// <summary>Where this process listens.</summary>
    public string Path { get; }

    /// <summary>Where commands connect.</summary>
    public static string LinkIn(string stateDirectory) => System.IO.Path.Combine(stateDirectory, "control.sock");

    /// <summary>Removes what processes that are gone left behind. Before the listener binds.</summary>
    public void Prepare()
    {
        foreach (var left in Directory.EnumerateFiles(System.IO.Path.GetDirectoryName(Path)!, "control-*.sock"))
        {
            if (left == Path || !IsAnswered(left))
                File.Delete(left);
        }
    }

    /// <summary>Points <c>control.sock</c> here. After the listener has bound.</summary>
    public void Publish()
    {
        File.SetUnixFileMode(Path, FileModes.PrivateFile);
        var temporary = $"{_link}.{Environment.ProcessId}";
        File.Delete(temporary);
        File.CreateSymbolicLink(temporary, System.IO.Path.GetFileName(Path));
        File.Move(temporary, _link, overwrite: true);
    }

    /// <summary>Takes the link away if it still points here.</summary>
    public void Withdraw()
    {
        if (new FileInfo(_link).LinkTarget == System.IO.Path.GetFileName(Path))
            File.Delete(_link);
    }

    private static bool IsAnswered(string path)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
