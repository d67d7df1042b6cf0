using System.Globalization;

namespace FuncX.Manager.Launching;

/// <summary>
/// What an mpirun of Open MPI keeps on its node, and leaves there when it is killed: a session directory, and a file of 4 MiB of shared memory for each rank.
/// A killed one cannot remove them, and /dev/shm is the node's memory.
/// </summary>
internal static class OpenMpiSession
{
    private const string Pid = "pid.";

    /// <summary>
    /// Makes the directory below which each mpirun of this host and user makes its own. Of two that begin together one would find it made in between its look and its making, and end.
    /// </summary>
    public static void Prepare(string host, uint user, string temporary)
    {
        try
        {
            Directory.CreateDirectory(DirectoryOf(host, user, temporary), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // mpirun says what is wrong with it better.
        }
    }

    /// <summary>Removes what the mpirun with this process id, which has ended, has left of the current user's.</summary>
    /// <param name="temporary">Where sessions lie: TMPDIR of the mpirun.</param>
    /// <param name="shared">Where shared memory lies.</param>
    public static void Remove(int pid, uint user, string temporary, string shared = "/dev/shm")
    {
        try
        {
            // ompi.HOST.UID/pid.PID (orte_session_dir of Open MPI 4)
            foreach (var sessions in Directory.EnumerateDirectories(temporary, $"ompi.*.{user.ToString(CultureInfo.InvariantCulture)}"))
                Remove(Path.Combine(sessions, $"{Pid}{pid.ToString(CultureInfo.InvariantCulture)}"), user, shared);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The ranks that end at the same time remove some of it themselves.
        }
    }

    /// <summary>Removes what mpiruns of this host that have ended have left of the current user's: with the agent that was killed nobody else does.</summary>
    /// <param name="isAlive">Whether a process has not ended.</param>
    public static void RemoveLeftovers(string host, uint user, string temporary, Func<int, bool> isAlive, string shared = "/dev/shm")
    {
        try
        {
            foreach (var session in Directory.EnumerateDirectories(DirectoryOf(host, user, temporary), $"{Pid}*"))
            {
                if (int.TryParse(Path.GetFileName(session.AsSpan())[Pid.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && !isAlive(pid))
                    Remove(session, user, shared);
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // Another agent of this host removes them at the same time, or there are none.
        }
    }

    private static string DirectoryOf(string host, uint user, string temporary) => Path.Combine(temporary, $"ompi.{host.Split('.')[0]}.{user.ToString(CultureInfo.InvariantCulture)}");

    private static void Remove(string session, uint user, string shared)
    {
        if (!Directory.Exists(session))
            return;
        if (FamilyOf(Path.Combine(session, "contact.txt")) is { } family && Directory.Exists(shared))
        {
            // Jobs of the family count from 1; an mpirun without MPI_Comm_spawn has one.
            foreach (var segment in Directory.EnumerateFiles(shared, $"vader_segment.*.{user.ToString(CultureInfo.InvariantCulture)}.{(family + 1).ToString("x", CultureInfo.InvariantCulture)}.*"))
                File.Delete(segment);
        }

        Directory.Delete(session, recursive: true);
    }

    // Begins with the family's number and ".0;": 118489088.0;tcp://...
    private static uint? FamilyOf(string contact)
    {
        if (!File.Exists(contact))
            return null;
        var text = File.ReadAllText(contact);
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && uint.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var family) ? family : null;
    }
}
