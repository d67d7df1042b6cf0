namespace FuncX.Service.Hosting;

/// <summary>The service does not start, or a command does not run, for a reason its user can mend; the message says which and how.</summary>
public sealed class ServiceRefusedException(string message, Exception? cause = null) : Exception(message, cause);
