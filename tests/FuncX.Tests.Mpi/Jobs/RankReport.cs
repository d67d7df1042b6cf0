namespace FuncX.Tests.Mpi.Jobs;

/// <summary>What one rank said about each scenario.</summary>
internal sealed record RankReport(int Rank, IReadOnlyDictionary<string, string> Said)
{
    /// <summary>Reads a file that Report of the program wrote.</summary>
    public static RankReport Read(string file)
    {
        var said = new Dictionary<string, string>();
        foreach (var line in File.ReadLines(file))
        {
            var tab = line.IndexOf('\t');
            said[tab < 0 ? line : line[..tab]] = tab < 0 ? "" : line[(tab + 1)..];
        }

        return new RankReport(int.Parse(Path.GetFileName(file).Split('-')[1]), said);
    }
}
