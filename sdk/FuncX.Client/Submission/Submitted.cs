using FuncX.Wire;

namespace FuncX.Client;

/// <summary>Calls that the service has accepted and that nobody waits for here.</summary>
/// <param name="Count">How many.</param>
/// <param name="Batches">Their batches, for <see cref="CallSettings.AfterBatches"/>.</param>
public sealed record Submitted(long Count, IReadOnlyList<BatchId> Batches);
