namespace FuncX.Service.Storage;

/// <summary>The file system of the data directory has no room (or fails) for a commit. Nothing of that commit is durable.</summary>
public sealed class StorageFullException(string message, Exception? inner = null) : Exception(message, inner);
