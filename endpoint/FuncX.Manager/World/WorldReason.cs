namespace FuncX.Manager.World;

/// <summary>
/// Why a world could not go on, from the rank that knows to the agent that launched it, through a file in the world's directory: of a launcher no more than an exit code is heard.
/// </summary>
internal static class WorldReason
{
    private const string Name = "ended";
    private const int MostCharacters = 1_000;

    /// <summary>Says it, unless another rank has said it before.</summary>
    public static void Leave(string directory, string reason)
    {
        try
        {
            using var file = new StreamWriter(new FileStream(Path.Combine(directory, Name), FileMode.CreateNew, FileAccess.Write, FileShare.Read));
            file.Write(reason.Length > MostCharacters ? reason[..MostCharacters] : reason);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The first one's is enough, and it stands in the log as well.
        }
    }

    /// <summary>What was said; empty: nothing.</summary>
    public static string Read(string directory)
    {
        try
        {
            return File.ReadAllText(Path.Combine(directory, Name));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>Before the world is launched: what an earlier one said.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    public static void Forget(string directory) => File.Delete(Path.Combine(directory, Name));
}
