namespace FuncX.Mpi;

/// <summary>What stands on a message.</summary>
/// <param name="Source">The rank that sent it.</param>
/// <param name="Tag">The sender's tag.</param>
/// <param name="Bytes">Its length.</param>
public readonly record struct MpiEnvelope(int Source, int Tag, int Bytes);
