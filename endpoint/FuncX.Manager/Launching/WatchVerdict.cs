using FuncX.Manager.World;

namespace FuncX.Manager.Launching;

/// <summary>What is to be done about a running world now.</summary>
/// <param name="Signal">For its launcher; 0: none.</param>
/// <param name="Lost">Ranks whose nodes are to go on without it, as the list of nodes calls them; each once.</param>
internal readonly record struct WatchVerdict(int Signal, IReadOnlyList<LostRank> Lost);
