namespace FuncX.Endpoint.Spool;

/// <summary>One file of the spool that is complete: nothing is appended to it any more.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Bytes">How long it is.</param>
internal sealed record SpoolFile(string Path, long Bytes);
