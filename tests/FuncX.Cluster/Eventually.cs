using System.Diagnostics;

namespace FuncX.Cluster;

/// <summary>Waits until something is so, and says what was not when it never is.</summary>
public static class Eventually
{
    /// <summary>How long anything may take that should take a moment, on a machine that is busy.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(60);

    /// <summary>Asks again and again, first fast, until the answer is true.</summary>
    /// <param name="condition">What must become true.</param>
    /// <param name="what">The condition in words.</param>
    /// <param name="within">Longest time; <see cref="Patience"/> when left out.</param>
    /// <param name="seen">Tells what is seen instead, for the message.</param>
    /// <exception cref="TimeoutException">It did not.</exception>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? within = null, Func<string>? seen = null) =>
        TrueAsync(() => Task.FromResult(condition()), what, within, seen);

    /// <inheritdoc cref="TrueAsync(Func{bool}, string, TimeSpan?, Func{string}?)"/>
    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? within = null, Func<string>? seen = null)
    {
        var limit = within ?? Patience;
        var clock = Stopwatch.StartNew();
        var pause = TimeSpan.FromMilliseconds(2);
        while (!await condition())
        {
            if (clock.Elapsed > limit)
                throw new TimeoutException($"not within {limit.TotalSeconds:0.#} s: {what}{(seen is null ? "" : $"; seen: {seen()}")}");
            await Task.Delay(pause);
            if (pause < TimeSpan.FromMilliseconds(50))
                pause *= 1.5;
        }
    }

    /// <summary>Asks until there is an answer.</summary>
    public static async Task<T> NotNullAsync<T>(Func<Task<T?>> question, string what, TimeSpan? within = null, Func<string>? seen = null)
        where T : class
    {
        T? answer = null;
        await TrueAsync(async () => (answer = await question()) is not null, what, within, seen);
        return answer!;
    }
}
