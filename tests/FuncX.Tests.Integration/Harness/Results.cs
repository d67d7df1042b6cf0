namespace FuncX.Tests.Integration.Harness;

/// <summary>What the outcomes of a group must be, value by value.</summary>
public static class Results
{
    /// <summary>Calls of <see cref="Python.Square"/> as <see cref="LocalCluster.SubmitRangeAsync"/> makes them.</summary>
    public static void ShouldBeSquares(this IReadOnlyDictionary<TaskId, TaskResult> results, IReadOnlyList<BatchId> batches, int count, int perBatch = 1_000)
    {
        results.Count.ShouldBe(count);
        for (var i = 0; i < count; i++)
            results[new TaskId(batches[i / perBatch], (uint)(i % perBatch))].ShouldHaveValue($"{((long)i * i) + 7}");
    }

    /// <summary>Calls of one batch, each of which gives its place in the batch.</summary>
    public static void ShouldBeIndexes(this IReadOnlyDictionary<TaskId, TaskResult> results, int count)
    {
        results.Count.ShouldBe(count);
        results.Keys.Select(static task => task.Batch).Distinct().ShouldHaveSingleItem();
        foreach (var (task, result) in results)
            result.ShouldHaveValue($"{task.Index}");
    }

    /// <summary>A value, and this one.</summary>
    public static void ShouldHaveValue(this TaskResult result, string text)
    {
        result.Outcome.ShouldBe(Outcome.Value, $"{result.Task}: {result.Text}");
        result.Text.ShouldBe(text, $"{result.Task}");
    }
}
