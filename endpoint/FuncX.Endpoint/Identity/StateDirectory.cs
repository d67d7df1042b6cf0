using FuncX.Configuration;

namespace FuncX.Endpoint.Identity;

/// <summary>The endpoint's own directory: 0700 and this user's, or refused.</summary>
public static class StateDirectory
{
    /// <summary>Makes the directory, or checks the one that is there.</summary>
    /// <exception cref="EndpointRefusedException">It belongs to another user, others may enter it, or it cannot be made; the message says what to do.</exception>
    public static void Prepare(string path)
    {
        try
        {
            if (File.Exists(path))
                throw new EndpointRefusedException($"state_dir {path} is a file; expected a directory. Name another in the configuration");
            Directory.CreateDirectory(path, FileModes.PrivateDirectory);
            var target = new DirectoryInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;
            var owner = FileModes.OwnerOf(target);
            if (owner != FileModes.CurrentUser)
                throw new EndpointRefusedException($"state_dir {path} belongs to user id {owner}, and this is {FileModes.CurrentUser}; it holds secrets and must be yours. Name another in the configuration");
            var mode = File.GetUnixFileMode(target);
            if ((mode & ~FileModes.PrivateDirectory) != UnixFileMode.None)
                throw new EndpointRefusedException($"state_dir {path} is open to others ({FileModes.Octal(mode)}) and holds secrets. Run: chmod 700 {path}");
            Directory.CreateDirectory(Path.Combine(path, "logs"), FileModes.PrivateDirectory);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new EndpointRefusedException($"state_dir {path} cannot be used: {problem.Message}", problem);
        }
    }
}
