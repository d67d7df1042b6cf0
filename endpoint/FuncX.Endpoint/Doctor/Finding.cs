namespace FuncX.Endpoint.Doctor;

/// <summary>What one check has seen.</summary>
/// <param name="Check">What was looked at.</param>
/// <param name="Seen">In words, with the object it is about.</param>
/// <param name="Cure">What to do about it; there is one with every warning and problem.</param>
internal sealed record Finding(string Check, FindingState State, string Seen, string Cure = "")
{
    public static Finding Ok(string check, string seen) => new(check, FindingState.Ok, seen);

    public static Finding Skipped(string check, string why) => new(check, FindingState.Skipped, why);

    public static Finding Warning(string check, string seen, string cure) => new(check, FindingState.Warning, seen, cure);

    public static Finding Problem(string check, string seen, string cure) => new(check, FindingState.Problem, seen, cure);

    /// <summary>A refusal of the program's own, whose first sentence is what was seen and whose others are the cure.</summary>
    /// <param name="otherwise">The cure of one that has no second sentence.</param>
    public static Finding Refused(string check, string message, string otherwise)
    {
        var end = message.IndexOf(". ", StringComparison.Ordinal);
        return end < 0 ? Problem(check, message.TrimEnd('.'), otherwise) : Problem(check, message[..end], message[(end + 2)..].TrimEnd('.'));
    }

    /// <summary>The line that a person reads.</summary>
    public override string ToString() => $"{Check,-11}  {State.ToString().ToLowerInvariant(),-7}  {Seen}{(Cure.Length > 0 ? $". Cure: {Cure}" : "")}";
}
