using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>What became of a submission: accepted and durable, the same as one accepted before, or refused with a reason.</summary>
public readonly record struct SubmitOutcome(StatusCode Status, bool Already, string Message)
{
    public static SubmitOutcome Accepted { get; } = new(StatusCode.OK, false, "");

    public static SubmitOutcome AcceptedBefore { get; } = new(StatusCode.OK, true, "");

    /// <summary>What it runs after has ended since that was looked up: to be asked again. No caller sees it.</summary>
    internal static SubmitOutcome Unsettled { get; } = new(StatusCode.Aborted, false, "");

    public static SubmitOutcome Refused(StatusCode status, string message) => new(status, false, message);
}
