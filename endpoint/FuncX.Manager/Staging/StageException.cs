namespace FuncX.Manager.Staging;

/// <summary>A file could not be staged. It is tried again.</summary>
internal sealed class StageException(string message) : Exception(message);
