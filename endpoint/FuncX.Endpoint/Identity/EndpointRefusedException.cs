namespace FuncX.Endpoint.Identity;

/// <summary>The endpoint cannot start or go on; the message is for whoever started it.</summary>
public sealed class EndpointRefusedException(string message, Exception? inner = null) : Exception(message, inner);
