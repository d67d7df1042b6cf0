namespace FuncX.Tests.Integration.Harness;

/// <summary>A scenario failed; the message has the logs of its processes.</summary>
public sealed class ScenarioException(string message, Exception cause) : Exception(message, cause);
