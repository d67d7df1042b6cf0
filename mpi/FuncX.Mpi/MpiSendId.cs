namespace FuncX.Mpi;

/// <summary>A nonblocking send. Never used twice for different sends within 2^32 sends of one slot.</summary>
/// <param name="Slot">0 to <see cref="MpiSends.Capacity"/> - 1; no two unfinished sends have the same, so a caller can keep an array beside it.</param>
/// <param name="Generation">Tells sends of the same slot apart.</param>
public readonly record struct MpiSendId(int Slot, uint Generation);
