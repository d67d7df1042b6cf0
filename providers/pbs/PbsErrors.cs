using FuncX.Providers.Batch;

namespace FuncX.Providers.Pbs;

/// <summary>Exit codes of PBS's commands: the error number modulo 256 (pbs_error.h), 255 of a qstat without a server.</summary>
internal static class PbsErrors
{
    /// <summary>PBSE_UNKJOBID, 15001.</summary>
    public const int UnknownJob = 153;

    /// <summary>PBSE_HISTJOBID, 15139: it has finished, and the command was not about finished ones.</summary>
    public const int HistoryJob = 35;

    private const int NoServer = 255;

    private static readonly string[] s_away =
    [
        "cannot connect to server", "Couldn't connect to cluster", "Connection refused", "Connection timed out", "Communication failure", "End of File", "No Permission", "Unable to acquire connection", "Cannot resolve",
        "Could not connect to", "Premature end of message", "Protocol (ASN.1) error", "Server is busy", "Request invalid for state of server", "unknown host", "invalid server",
    ];

    public static bool IsAway(CommandOutput output) => output.ExitCode == NoServer || s_away.Any(word => output.Errors.Contains(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>What a qstat says of jobs that has not printed any, whatever their form; null: its output is to be read.</summary>
    public static StatusAnswer? WithoutJobs(CommandOutput output)
    {
        if (IsAway(output))
            return StatusAnswer.Away($"qstat: {output.Said}");
        if (IsNotHere(output))
            return StatusAnswer.NotHere($"qstat: {output.Said}");
        // Some of the ids were unknown or finished: what was printed of the others is good.
        return output.ExitCode is 0 or UnknownJob or HistoryJob ? null : StatusAnswer.Garbled($"qstat ended with {output.ExitCode}: {output.Said}");
    }

    // The command has no such option, or the server no history.
    private static bool IsNotHere(CommandOutput output) =>
        output.Errors.Contains("invalid option", StringComparison.OrdinalIgnoreCase) || output.Errors.Contains("usage:", StringComparison.OrdinalIgnoreCase)
        || output.Errors.Contains("not configured to maintain job history", StringComparison.OrdinalIgnoreCase);
}
