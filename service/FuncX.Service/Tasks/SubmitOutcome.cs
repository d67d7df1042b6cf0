using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>What became of a submission: accepted and durable, the same as one accepted before, or refused with a reason.</summary>
public readonly record struct SubmitOutcome(StatusCode Status, bool Already, string Message)
{
    public static SubmitOutcome Accepted { get; } = new(StatusCode.OK, false, "");

    public static SubmitOutcome AcceptedBefore { get; } = new(StatusCode.OK, true, "");

    public static SubmitOutcome Refused(StatusCode status, string message) => new(status, false, message);
}
