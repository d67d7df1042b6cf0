namespace FuncX.Tests.Integration.Harness;

/// <summary>Where calls of <see cref="Python.Work"/> leave their traces: what ran, and how often, is read from files and not from anybody's word.</summary>
public sealed class TracedWork
{
    public TracedWork(LocalCluster cluster, string name)
    {
        DirectoryPath = Path.Combine(cluster.DirectoryPath, name);
        Directory.CreateDirectory(Path.Combine(DirectoryPath, "tasks"));
        Directory.CreateDirectory(Path.Combine(DirectoryPath, "running"));
    }

    /// <summary>First argument of every call.</summary>
    public string DirectoryPath { get; }

    /// <summary>What call <paramref name="number"/> must give.</summary>
    public static long Value(long number) => (number * number) + 7;

    /// <summary>Asserts that calls 0 to <paramref name="count"/> - 1 were each started once and ended once, and no other ran.</summary>
    public void EachRanOnce(int count)
    {
        var files = Directory.EnumerateFiles(Path.Combine(DirectoryPath, "tasks"), "*", SearchOption.AllDirectories).ToDictionary(static path => Path.GetFileName(path));
        var wrong = new List<string>();
        for (var number = 0; number < count; number++)
        {
            var runs = files.Remove($"{number}", out var path) ? string.Join(", ", File.ReadLines(path).Select(static line => line[..line.IndexOf(' ', StringComparison.Ordinal)])) : "nothing";
            if (runs != "start, end")
                wrong.Add($"call {number}: {runs}");
        }

        wrong.Take(20).ShouldBeEmpty($"{wrong.Count} of {count} calls did not run exactly once");
        files.Keys.Take(20).ShouldBeEmpty($"{files.Count} calls ran that nobody asked for");
    }

    /// <summary>Asserts that these are the values of calls 0, 1, 2 and so on.</summary>
    public static void AreValuesInOrder(IReadOnlyList<long> values, int count)
    {
        for (var number = 0; number < Math.Min(values.Count, count); number++)
            values[number].ShouldBe(Value(number), $"value {number} of {values.Count}");
        values.Count.ShouldBe(count);
    }
}
