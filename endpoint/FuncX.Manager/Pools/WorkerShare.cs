using System.Globalization;
using FuncX.Manager.Link;
using FuncX.Wire;

namespace FuncX.Manager.Pools;

/// <summary>What one worker has of its node, under the names by which functions require it.</summary>
internal static class WorkerShare
{
    /// <param name="settings">The endpoint's file.</param>
    /// <param name="nodeBytes">Memory that this process may use. Without a limit of their own workers share it.</param>
    public static IEnumerable<KeyValuePair<string, string>> Of(WorkerSettings settings, long nodeBytes) =>
    [
        new(RuntimeRequirement.Cores, Number(settings.CoresPerWorker)),
        new(RuntimeRequirement.Memory, RuntimeRequirement.MemoryOf(settings.MemoryPerWorker > 0 ? settings.MemoryPerWorker : nodeBytes / settings.PerNode)),
        new(RuntimeRequirement.Accelerators, Number(AcceleratorsOf(settings))),
    ];

    // As WorkerVariables gives them out: an even share, and one that others see too where there are fewer than workers.
    private static int AcceleratorsOf(WorkerSettings settings) =>
        settings.Accelerators.Length == 0 ? 0 : Math.Max(1, settings.Accelerators.Length / settings.PerNode);

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
