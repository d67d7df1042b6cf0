namespace FuncX.Manager.World;

/// <summary>How a rank ends.</summary>
/// <param name="Code">Exit code.</param>
/// <param name="Reason">Why, when it does not end well.</param>
/// <param name="Together">All ranks end now, and MPI with them.</param>
internal sealed record WorldEnd(int Code, string Reason, bool Together);
