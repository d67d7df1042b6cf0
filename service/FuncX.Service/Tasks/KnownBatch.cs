namespace FuncX.Service.Tasks;

/// <summary>A batch that was accepted before: the service's numbers of its function and endpoint, and the hash of what it was.</summary>
internal sealed record KnownBatch(int Function, int Endpoint, UInt128 Content);
