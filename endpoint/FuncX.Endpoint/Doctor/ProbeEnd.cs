using FuncX.Providers;

namespace FuncX.Endpoint.Doctor;

/// <summary>What became of the doctor's job.</summary>
/// <param name="Status">What the scheduler said last; no end when the time was over before it came.</param>
internal sealed record ProbeEnd(string JobId, BlockStatus Status);
