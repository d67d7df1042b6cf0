namespace FuncX.Service.Tasks;

/// <summary>Behind a cursor stand results that are no longer there, or the cursor was never given by this service.</summary>
public sealed class CursorException(string message) : Exception(message);
