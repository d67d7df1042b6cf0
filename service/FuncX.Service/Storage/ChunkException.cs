namespace FuncX.Service.Storage;

/// <summary>Stored bytes are not what was written: a broken disk, a torn file, or a defect. Never guessed around.</summary>
public sealed class ChunkException(string message) : Exception(message);
