namespace FuncX.Service.Storage;

/// <summary>The result sections of one chunk, in memory. Never changed once made, so slices of it may be handed out.</summary>
public sealed record ChunkResults(long Chunk, long Time, ReadOnlyMemory<byte> Sections);
