namespace FuncX.Endpoint.Control;

/// <summary>An endpoint runs, and does not answer as it should; the message is for whoever asked.</summary>
public sealed class ControlException(string message, Exception? inner = null) : Exception(message, inner);
