using System.Globalization;
using FuncX.Providers.Batch;

namespace FuncX.Providers.Cobalt;

/// <summary>The <c>.cobaltlog</c> of a job: a line for everything that befell it. It is the only place that says how a job ended, and calls every end of a script normal.</summary>
internal static class CobaltLog
{
    private const string ExitCode = "task completed normally with an exit code of ";

    /// <summary>Null while it does not say that the job is over.</summary>
    public static JobReport? Read(string text)
    {
        // What ended it counts, not what its script then returned.
        if (text.Contains("maximum execution time exceeded", StringComparison.Ordinal))
            return new JobReport(JobCondition.TimedOut);
        if (text.Contains("Info: user delete requested", StringComparison.Ordinal))
            return new JobReport(JobCondition.Cancelled, By(text));
        var at = text.LastIndexOf(ExitCode, StringComparison.Ordinal);
        if (at < 0)
            return null;
        var digits = text[(at + ExitCode.Length)..].Split(';', '\n')[0];
        if (!int.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var code))
            return null;
        return new JobReport(code == 0 ? JobCondition.Completed : JobCondition.Failed) { ExitCode = code };
    }

    private static string By(string text)
    {
        const string Who = " by user ";
        var at = text.IndexOf(Who, StringComparison.Ordinal);
        return at < 0 ? "" : text[(at + 1)..].Split('\n')[0].TrimEnd('\r');
    }
}
