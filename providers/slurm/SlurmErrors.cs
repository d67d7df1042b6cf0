namespace FuncX.Providers.Slurm;

/// <summary>What the commands say when the controller or the database is not there (slurm_errno.c). They exit with 1 for that as for everything else: the text decides.</summary>
internal static class SlurmErrors
{
    private static readonly string[] s_away =
    [
        "Unable to contact slurm controller", "Socket timed out", "Zero Bytes were transmitted", "Transport endpoint is not connected", "Connection refused", "Connection timed out",
        "slurmctld is in standby mode", "Slurm backup controller in standby mode", "Unable to establish configuration source", "Problem talking to the database",
        "failed to open persistent connection", "Slurm temporarily unable to accept job, sleeping and retrying", "Resource temporarily unavailable", "Protocol authentication error",
    ];

    // The request was sent, and what became of it nobody knows: the controller may have done it and be slow to say so.
    private static readonly string[] s_unclear = ["Socket timed out", "Zero Bytes were transmitted", "Transport endpoint is not connected"];

    public static bool IsAway(string text) => Any(text, s_away);

    public static bool MayHaveArrived(string text) => Any(text, s_unclear);

    private static bool Any(string text, string[] words) => words.Any(word => text.Contains(word, StringComparison.OrdinalIgnoreCase));
}
