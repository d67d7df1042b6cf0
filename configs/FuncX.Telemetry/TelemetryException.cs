namespace FuncX.Telemetry;

/// <summary>What the file asks for cannot be done here; the message says what would be right.</summary>
public sealed class TelemetryException(string message, Exception? inner = null) : Exception(message, inner);
