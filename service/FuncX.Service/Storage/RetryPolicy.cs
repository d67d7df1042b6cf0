using FuncX.Wire;

namespace FuncX.Service.Storage;

/// <summary>Whether a task whose function failed runs again: its user's own errors are not retried unless the submission asks for it. Pure.</summary>
/// <param name="Times">How often at most.</param>
/// <param name="BackoffMilliseconds">Before the first time; twice as long before each further one.</param>
/// <param name="On">Types of exceptions, as a whole or their last part; "*" is any, "TimedOut" a walltime that was too short. Empty: any exception.</param>
public sealed record RetryPolicy(int Times, uint BackoffMilliseconds, IReadOnlyList<string> On)
{
    public const int MostTypes = 32;
    public const int MostTypeCharacters = 256;
    public const uint MostBackoffMilliseconds = 86_400_000;

    private const string TimedOut = "TimedOut";

    // Whoever waits longer between two tries has a deadline in mind, and can set one.
    private const long LongestMicroseconds = 3_600_000_000;

    public bool Matches(TaskOutcome outcome, string? type) => outcome switch
    {
        TaskOutcome.Exception => On.Count == 0 || On.Any(wanted => wanted == "*" || (type is not null && (type == wanted || type.EndsWith("." + wanted, StringComparison.Ordinal)))),
        TaskOutcome.TimedOut => On.Contains(TimedOut, StringComparer.Ordinal),
        _ => false,
    };

    /// <summary>Microseconds before the next try, when there were so many.</summary>
    public long Backoff(int retries) => Math.Min(LongestMicroseconds, BackoffMilliseconds * 1000L << Math.Min(retries, 20));

    public void Write(ChunkBuffer output)
    {
        output.Varint(Times);
        output.Varint(BackoffMilliseconds);
        output.Varint(On.Count);
        foreach (var type in On)
            output.Text(type);
    }

    public static RetryPolicy Read(ref ChunkCursor input)
    {
        var times = input.Count(ushort.MaxValue);
        var backoff = (uint)input.Varint();
        var on = new string[input.Count(MostTypes)];
        for (var index = 0; index < on.Length; index++)
            on[index] = input.Text();
        return new RetryPolicy(times, backoff, on);
    }
}
