namespace FuncX.Manager.Link;

/// <summary>The endpoint answered the hello with a refusal.</summary>
internal sealed class LinkRefusedException(string reason) : Exception(reason);
