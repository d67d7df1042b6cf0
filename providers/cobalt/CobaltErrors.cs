using FuncX.Providers.Batch;

namespace FuncX.Providers.Cobalt;

/// <summary>What the clients say when a component is not there: always with exit code 1, in words of their own.</summary>
internal static class CobaltErrors
{
    private static readonly string[] s_away = ["component error", "Failed to connect", "Can't connect to", "Unable to connect", "No section cqm in Cobalt config"];

    public static bool IsAway(CommandOutput output) => s_away.Any(word => output.Errors.Contains(word, StringComparison.OrdinalIgnoreCase)) && !output.Errors.Contains("<Fault", StringComparison.Ordinal);
}
