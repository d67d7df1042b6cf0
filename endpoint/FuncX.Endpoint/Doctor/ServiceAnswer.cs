namespace FuncX.Endpoint.Doctor;

/// <summary>What became of a question to the service.</summary>
/// <param name="Said">Why there was no answer, in the system's words.</param>
/// <param name="Ahead">How far its clock is before ours, to about a second; null: it does not tell the time.</param>
internal sealed record ServiceAnswer(ServiceReach Reach, string Said = "", TimeSpan? Ahead = null);
