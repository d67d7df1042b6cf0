namespace FuncX.Endpoint.Doctor;

/// <summary>Whether this machine and the service have the same time, by the date that an answer of the service carries.</summary>
internal static class ClockCheck
{
    public const string Name = "clock";

    /// <summary>Clocks further apart than this are a warning: times of tasks and logs do not fit together, and certificates may not be valid yet.</summary>
    public static TimeSpan Most { get; } = TimeSpan.FromSeconds(5);

    /// <summary>What is to be done on a machine whose clock is wrong.</summary>
    public const string Cure = "have the clocks set by NTP (`timedatectl status`, `chronyc tracking`)";

    public static Finding Of(ServiceAnswer answer)
    {
        if (answer.Reach != ServiceReach.Answered)
            return Finding.Skipped(Name, "the service gave no answer to compare with");
        if (answer.Ahead is not { } ahead)
            return Finding.Skipped(Name, "the service's answer has no date");
        var seconds = Math.Abs(ahead.TotalSeconds);
        return ahead.Duration() > Most
            ? Finding.Warning(Name, $"this machine's clock is {seconds:F0} s {(ahead > TimeSpan.Zero ? "behind" : "ahead of")} that of the service; at most {Most.TotalSeconds:F0} s are well", Cure)
            : Finding.Ok(Name, $"within {Math.Ceiling(seconds):F0} s of the service's");
    }
}
