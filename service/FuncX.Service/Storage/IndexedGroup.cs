namespace FuncX.Service.Storage;

/// <summary>A group as far as its batches are in the index; <paramref name="LastChunk"/> is the newest with results of them.</summary>
internal readonly record struct IndexedGroup(string Name, long Tasks, long Failed, long LastChunk);
