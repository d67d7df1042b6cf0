namespace FuncX.Providers.Batch;

public enum SubmitKind
{
    Accepted,

    /// <summary>Refused, and would be again.</summary>
    Refused,

    /// <summary>The scheduler was not reached: nothing was submitted.</summary>
    Away,

    /// <summary>There may be a job, or not: its name tells.</summary>
    Unclear,
}

/// <summary>What a submission's output says.</summary>
/// <param name="Text">The job's id, or why there is none.</param>
/// <param name="Key">The configuration's key that is to be looked at, where the text tells; else empty.</param>
public sealed record SubmitAnswer(SubmitKind Kind, string Text, string Key = "");
