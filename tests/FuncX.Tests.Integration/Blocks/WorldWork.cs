using System.Globalization;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Calls that each leave a file, which says when they began and ended and below which rank.</summary>
internal sealed class WorldWork(LocalCluster cluster, string function, string group, int calls)
{
    private readonly string _directory = Path.Combine(cluster.DirectoryPath, group);

    /// <summary>Submits the calls.</summary>
    public static async Task<WorldWork> BeginAsync(LocalCluster cluster, string group, int calls, int milliseconds)
    {
        var work = new WorldWork(cluster, await cluster.Api.RegisterAsync(Python.Work, "work"), group, calls);
        Directory.CreateDirectory(Path.Combine(work._directory, "tasks"));
        Directory.CreateDirectory(Path.Combine(work._directory, "running"));
        await cluster.Api.SubmitAsync(ServiceApi.Request(
            work.Function, cluster.EndpointId, group, Enumerable.Range(0, calls).Select(i => $"[\"{work._directory}\", {i}, {milliseconds}]"), new TaskOptions { MaxAttempts = 10 }));
        return work;
    }

    public string Function => function;

    /// <summary>What the calls have left until now.</summary>
    public IReadOnlyList<Execution> Executions()
    {
        var found = new List<Execution>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(_directory, "tasks"), "*", SearchOption.AllDirectories))
        {
            var lines = File.ReadAllLines(file).Select(static line => line.Split(' ')).Where(static words => words.Length == 4).ToList();
            var ended = lines.Where(static words => words[0] == "end").Select(static words => words[2]).ToList();
            found.AddRange(lines.Where(static words => words[0] == "start").Select(words => new Execution(
                int.Parse(words[1], CultureInfo.InvariantCulture),
                [.. words[2].Split(',').Select(static pid => int.Parse(pid, CultureInfo.InvariantCulture))],
                long.Parse(words[3], CultureInfo.InvariantCulture),
                ended.Contains(words[2]))));
        }

        return found;
    }

    /// <summary>Waits until calls have begun on each of these ranks.</summary>
    public Task RunsOnAsync(IEnumerable<RunningWorld> worlds) => RunsOnAsync([.. worlds.SelectMany(static world => world.Ranks)]);

    /// <inheritdoc cref="RunsOnAsync(IEnumerable{RunningWorld})"/>
    public Task RunsOnAsync(IReadOnlyList<ProcessIdentity> ranks) => Eventually.TrueAsync(
        () =>
        {
            var executions = Executions();
            return ranks.All(rank => executions.Any(execution => execution.IsBelow(rank)));
        },
        $"calls of {group} run on every rank",
        seen: () => $"{Executions().Count} executions");

    /// <summary>Each call has one outcome, and it is its value.</summary>
    /// <returns>How many attempts each of them took, by its number.</returns>
    public async Task<IReadOnlyDictionary<int, uint>> FinishAsync()
    {
        var results = await cluster.Api.WaitAsync(group, calls);
        results.Count.ShouldBe(calls);
        foreach (var (task, result) in results)
            (result.Outcome, result.Text).ShouldBe((Outcome.Value, $"{(task.Index * task.Index) + 7}"), $"call {task.Index} of {group}");
        return (await cluster.Api.ListAsync(group)).ToDictionary(static task => TaskId.TryParse(task.TaskId, out var id) ? (int)id.Index : -1, static task => task.Attempts);
    }

    /// <summary>What ranks that were not hit had begun is not begun anywhere else, and something was lost with the one that was.</summary>
    /// <param name="others">The ranks that were not hit.</param>
    /// <param name="at">When another was, in Unix nanoseconds.</param>
    /// <param name="attempts">How many each call took.</param>
    public void OthersRanNothingAgain(IReadOnlyList<ProcessIdentity> others, long at, IReadOnlyDictionary<int, uint> attempts)
    {
        var there = Executions().Where(execution => others.Any(execution.IsBelow)).ToList();
        there.CountBy(static execution => execution.Call).ShouldAllBe(static call => call.Value == 1, $"{group}: a call ran twice on a rank that was not hit");
        foreach (var execution in there.Where(execution => execution.Began < at))
            attempts[execution.Call].ShouldBe(1u, $"{group}: call {execution.Call} was at work on a rank that was not hit");
        attempts.Values.ShouldContain(static count => count > 1, $"{group}: nothing was lost, so nothing was shown");
    }

    /// <summary>One execution of a call.</summary>
    /// <param name="Call">Its number.</param>
    /// <param name="Where">The worker and what it is below of: zygote, spawner, rank, launcher, ...</param>
    /// <param name="Began">Unix nanoseconds.</param>
    /// <param name="Ended">Whether it came to its end.</param>
    internal sealed record Execution(int Call, IReadOnlyList<int> Where, long Began, bool Ended)
    {
        public bool IsBelow(ProcessIdentity process) => Where.Contains(process.Pid);
    }
}
