using System.Globalization;
using System.Runtime.InteropServices;

namespace FuncX.Bench.Reporting;

/// <summary>What this was measured on.</summary>
internal static class Machine
{
    public static string Describe()
    {
        var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown processor";
        var memory = long.Parse(File.ReadLines("/proc/meminfo").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / (1024.0 * 1024);
        var disk = new DriveInfo(Environment.GetEnvironmentVariable("FUNCX_TESTS_DIRECTORY") ?? Path.GetTempPath());
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} cores {model}, {memory:0} GiB, {RuntimeInformation.FrameworkDescription}, {disk.DriveFormat} on {disk.Name}, load {File.ReadAllText("/proc/loadavg").Split(' ')[0]}");
    }
}
