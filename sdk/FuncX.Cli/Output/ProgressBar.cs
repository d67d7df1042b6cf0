using Spectre.Console;

namespace FuncX.Cli.Output;

/// <summary>A bar on standard error while something long runs; nothing when standard error is no terminal or the output is for a program.</summary>
internal static class ProgressBar
{
    /// <summary>Below this each one is reported: they may be minutes apart. Above it a report now and then is enough.</summary>
    public const int Few = 10_000;

    /// <param name="total">Null: not known; the count is shown.</param>
    /// <param name="work">Gets what reports how many are done.</param>
    public static async Task<T> RunAsync<T>(Invocation invocation, string title, long? total, Func<Action<long>, Task<T>> work)
    {
        if (!invocation.Terminal.IsInteractive || invocation.IsJson)
            return await work(static _ => { });
        return await invocation.Terminal.Progress.Progress()
            .AutoClear(enabled: true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                var bar = context.AddTask(Markup.Escape(title), maxValue: total ?? 1);
                bar.IsIndeterminate = total is null;
                return await work(done =>
                {
                    bar.Value = total is null ? 0 : done;
                    if (total is null)
                        bar.Description = Markup.Escape($"{title}: {done:N0}");
                });
            });
    }
}
