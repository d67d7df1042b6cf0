using System.Globalization;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;

namespace FuncX.Manager.World;

/// <summary>
/// What the agent hears of a world whose launcher lets ranks live when another dies, and so does not tell of it: lines in a file of the world's directory, one for each launch. A rank's own
/// spawner says when it is gone, which no kill of the rank prevents; of a node that is gone nobody says anything.
/// </summary>
/// <param name="launch">Another number for each launch: ranks of an earlier one may still be ending.</param>
internal sealed class WorldMarks(string directory, long launch)
{
    private const string Up = "up";
    private const string Over = "over";
    private const string Lost = "lost";

    // Of a rank that does not know its number yet.
    private const string Unnumbered = "?";

    private readonly string _path = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"marks-{launch}"));

    /// <summary>Before the world is launched.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Begin()
    {
        foreach (var old in Directory.EnumerateFiles(directory, "marks-*"))
            File.Delete(old);
        File.WriteAllText(_path, "");
    }

    /// <summary>All ranks have found each other.</summary>
    /// <returns>Whether it was written; else it is to be said again, since a world that is never up is ended.</returns>
    public bool SayUp() => AppendedFile.TryAdd(_path, Up);

    /// <summary>The world does not go on.</summary>
    /// <param name="code">Of who says so; 0: it was to end.</param>
    public void SayOver(int code) => AppendedFile.TryAdd(_path, string.Create(CultureInfo.InvariantCulture, $"{Over} {code}"));

    /// <summary>What a rank's spawner says when the rank is gone without having been told to end.</summary>
    /// <param name="rank">Null: not known yet.</param>
    public DeathNotice OfLost(int? rank, string node) => new(_path, $"{Lost} {rank?.ToString(CultureInfo.InvariantCulture) ?? Unnumbered} {node}");

    /// <summary>What was said until now; null: the file system does not answer now, and is to be asked again.</summary>
    public WorldSigns? Read()
    {
        try
        {
            return Parse(File.ReadAllLines(_path));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads the lines; what is none is passed over: on NFS two that are added at once may spoil each other.</summary>
    public static WorldSigns Parse(IEnumerable<string> lines)
    {
        var signs = new WorldSigns();
        var lost = new List<LostRank>();
        foreach (var line in lines)
        {
            switch (line.Split(' '))
            {
                case [Up]:
                    signs = signs with { IsUp = true };
                    break;
                case [Over, var text] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var code):
                    signs = signs with { Over = Math.Max(signs.Over ?? 0, code) };
                    break;
                case [Lost, Unnumbered, _]:
                    signs = signs with { LostBeforeUp = true };
                    break;
                case [Lost, var text, var node] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var rank) && lost.All(other => other.Rank != rank):
                    lost.Add(new LostRank(rank, node));
                    break;
            }
        }

        return signs with { Lost = lost };
    }
}
