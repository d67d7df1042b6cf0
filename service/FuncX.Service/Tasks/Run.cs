namespace FuncX.Service.Tasks;

/// <summary>Tasks of a batch, one behind the other: indexes from <paramref name="From"/> to below <paramref name="To"/>. Those that are no longer queued are stepped over.</summary>
public readonly record struct Run(Batch Batch, int From, int To);
