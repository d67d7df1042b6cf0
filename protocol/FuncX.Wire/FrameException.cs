namespace FuncX.Wire;

/// <summary>The peer sent bytes that no version of this protocol can mean. The connection is closed; nothing else is disturbed.</summary>
public sealed class FrameException(string message) : Exception(message);
