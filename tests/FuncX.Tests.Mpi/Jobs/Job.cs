using System.Diagnostics;

namespace FuncX.Tests.Mpi.Jobs;

/// <summary>A run of funcx-mpi-scenarios that has ended.</summary>
/// <param name="ExitCode">Of the launcher; 124 and 137 are the time limit.</param>
/// <param name="Output">What launcher and ranks wrote.</param>
/// <param name="Ranks">What each rank reported, by rank.</param>
internal sealed record Job(int ExitCode, string Output, IReadOnlyList<RankReport> Ranks)
{
    private const string LimitSeconds = "60";

    /// <summary>Runs scenarios under a launcher.</summary>
    public static Job Run(Launcher launcher, int ranks, string program, string[] scenarios, params (string Name, string Value)[] environment)
    {
        Launchers.SkipUnlessInstalled(launcher);
        return Run(Launchers.Command(launcher, ranks), program, scenarios, environment);
    }

    /// <summary>Runs scenarios in one process without a launcher.</summary>
    public static Job RunAlone(string program, string[] scenarios, params (string Name, string Value)[] environment) => Run([], program, scenarios, environment);

    /// <summary>What every rank said about a scenario; fails with all there is when one said nothing.</summary>
    public IReadOnlyList<string> Said(string scenario, int ranks)
    {
        Ranks.Count(rank => rank.Said.ContainsKey(scenario)).ShouldBe(ranks, ToString());
        return [.. Ranks.Select(rank => rank.Said[scenario])];
    }

    public override string ToString() =>
        $"exit code {ExitCode}\n{Output}\n{string.Join('\n', Ranks.Select(static rank => $"rank {rank.Rank}: {string.Join("; ", rank.Said.Select(static said => $"{said.Key} = {said.Value}"))}"))}";

    private static Job Run(string[] command, string program, string[] scenarios, (string Name, string Value)[] environment)
    {
        var folder = Directory.CreateTempSubdirectory("funcx-mpi-test-").FullName;
        try
        {
            // A launcher that is told to end ends its ranks; the second signal is for one that does not listen.
            var start = new ProcessStartInfo("timeout", ["--kill-after=3", LimitSeconds, .. command, program, folder, .. scenarios])
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder,
            };
            start.Environment.Remove("FUNCX_MPI_LIBRARY");
            foreach (var (name, value) in environment)
                start.Environment[name] = value;
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            var ranks = Directory.EnumerateFiles(folder, "rank-*").Select(RankReport.Read).OrderBy(static rank => rank.Rank);
            return new Job(process.ExitCode, output + errors.Result, [.. ranks]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
