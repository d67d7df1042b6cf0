using System.Globalization;

namespace FuncX.Providers.Local;

/// <summary>
/// How the processes of a block ended, one small file each in the block's directory. Written while the endpoint that started them lives; a
/// process that ends while no endpoint runs leaves none.
/// </summary>
internal static class ExitRecords
{
    public static void Write(string directory, int pid, int code)
    {
        try
        {
            File.WriteAllText(Path(directory, pid), code.ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The directory of a block that has ended may be gone already; without a record the block counts as lost, which is what is known.
        }
    }

    public static int? Read(string directory, int pid)
    {
        try
        {
            return int.TryParse(File.ReadAllText(Path(directory, pid)), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var code) ? code : null;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>An exit status in words; the runtime reports a signal as 128 and its number.</summary>
    public static string Describe(int code) => code > 128 ? $"was ended by signal {code - 128}" : $"exited with status {code}";

    private static string Path(string directory, int pid) => System.IO.Path.Combine(directory, $"exit-{pid}");
}
