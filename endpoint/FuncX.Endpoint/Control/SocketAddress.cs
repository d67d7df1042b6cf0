using System.Text;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Control;

/// <summary>
/// A path to a socket in a directory that is short enough to bind or connect: unix(7) has room for 107 bytes, home directories of clusters are longer. Where the
/// path is, it leads through a link in a new 0700 directory, which is needed for that one call only; nothing that a clean-up of /tmp takes away is missed later.
/// </summary>
internal sealed class SocketAddress : IDisposable
{
    // sun_path of unix(7), less the zero at its end.
    private const int MaxBytes = 107;

    private readonly string? _temporary;

    /// <exception cref="EndpointRefusedException">There is no short path either.</exception>
    public SocketAddress(string directory, string name)
    {
        Path = System.IO.Path.Combine(directory, name);
        var bytes = Encoding.UTF8.GetByteCount(Path);
        if (bytes <= MaxBytes)
            return;
        try
        {
            _temporary = Directory.CreateTempSubdirectory("fx-").FullName;
            var link = System.IO.Path.Combine(_temporary, "s");
            File.CreateSymbolicLink(link, directory);
            Path = System.IO.Path.Combine(link, name);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            Dispose();
            throw new EndpointRefusedException($"the path of a socket in state_dir {directory} has {bytes} bytes, at most {MaxBytes} are possible, and no shorter one could be made: {problem.Message}", problem);
        }

        if (Encoding.UTF8.GetByteCount(Path) <= MaxBytes)
            return;
        Dispose();
        throw new EndpointRefusedException($"the path of a socket in state_dir {directory} has {bytes} bytes, at most {MaxBytes} are possible, and below TMPDIR it is no shorter ({Path}). Choose a shorter state_dir or TMPDIR");
    }

    public string Path { get; }

    public void Dispose()
    {
        if (_temporary is not null && Directory.Exists(_temporary))
            Directory.Delete(_temporary, recursive: true);
    }
}
