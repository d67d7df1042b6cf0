namespace FuncX.Providers.Batch;

public enum AnswerKind
{
    /// <summary>The scheduler has answered; what it does not list it does not know.</summary>
    Answered,

    /// <summary>It could not be reached, or has no time.</summary>
    Away,

    /// <summary>There is no such source at this site: no accounting, no JSON. It knows nothing, and that is known.</summary>
    NotHere,

    /// <summary>What it printed was not understood, or not all of it is there.</summary>
    Garbled,
}

/// <summary>What a command's output says of jobs. What could be read is good also when <see cref="Kind"/> says that not all could.</summary>
public sealed record StatusAnswer(AnswerKind Kind, IReadOnlyDictionary<string, JobReport> Jobs, string Message = "")
{
    private static readonly Dictionary<string, JobReport> s_none = [];

    public static StatusAnswer Of(IReadOnlyDictionary<string, JobReport> jobs) => new(AnswerKind.Answered, jobs);

    public static StatusAnswer Nothing { get; } = Of(s_none);

    public static StatusAnswer Away(string message) => new(AnswerKind.Away, s_none, message);

    public static StatusAnswer NotHere(string message) => new(AnswerKind.NotHere, s_none, message);

    public static StatusAnswer Garbled(string message, IReadOnlyDictionary<string, JobReport>? jobs = null) => new(AnswerKind.Garbled, jobs ?? s_none, message);
}
