using System.Net.Sockets;
using Grpc.Core;

namespace FuncX.Client.Connection;

/// <summary>What a gRPC status means to a user of FuncX.</summary>
internal static class ServiceErrors
{
    // As service/CONFIGURATION.md promises: each refusal names its limit.
    private static readonly string[] TooLarge = ["limit payload_bytes is", "limit batch_tasks is", "limit batch_bytes is", "limit request_bytes is"];

    /// <summary>
    /// True when the same request may succeed on the next connection. A stream cut in the middle shows as UNAVAILABLE, or, depending on what was cut
    /// first, as INTERNAL with the transport's exception inside, or as CANCELLED, which a caller that has not cancelled can only owe to the other side.
    /// </summary>
    public static bool IsTransient(RpcException problem) => problem.StatusCode switch
    {
        StatusCode.Unavailable or StatusCode.Cancelled => true,
        StatusCode.Internal or StatusCode.Unknown => HasTransportCause(problem),
        _ => false,
    };

    /// <summary>
    /// True when a stream that had worked so far may work again on the next connection. A service that is being stopped may end it with UNKNOWN or INTERNAL; said to the
    /// first message of a new stream, the same is an answer.
    /// </summary>
    public static bool MayBeStopping(RpcException problem) => IsTransient(problem) || problem.StatusCode is StatusCode.Unknown or StatusCode.Internal;

    /// <summary>True for a request without room that never will have any: it is larger than a limit of a single one, and waiting does not make it smaller.</summary>
    public static bool IsTooLarge(string detail) => TooLarge.Any(limit => detail.Contains(limit, StringComparison.Ordinal));

    /// <summary>The end of a stream that had been open for some time, as the failure that it is to whoever opens the next one.</summary>
    public static RpcException Lost(RpcException problem) => new(new Status(StatusCode.Unavailable, problem.Status.Detail, problem), problem.Message);

    public static FuncXException Translate(RpcException problem, Uri address, string what)
    {
        var detail = problem.Status.Detail;
        return problem.StatusCode switch
        {
            StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled => Unreachable(problem, address, what),
            StatusCode.Internal or StatusCode.Unknown when HasTransportCause(problem) => Unreachable(problem, address, what),
            StatusCode.Unauthenticated or StatusCode.PermissionDenied => new FuncXException(
                FuncXErrorKind.NotAuthorised, $"{what}: {address.GetLeftPart(UriPartial.Authority)} does not allow it: {detail}", problem),
            StatusCode.NotFound => new FuncXException(FuncXErrorKind.NotFound, $"{what}: {detail}", problem),
            StatusCode.InvalidArgument or StatusCode.AlreadyExists or StatusCode.FailedPrecondition or StatusCode.OutOfRange
                or StatusCode.ResourceExhausted or StatusCode.Unimplemented or StatusCode.Aborted => new FuncXException(
                FuncXErrorKind.Refused, $"{what} was refused: {detail}", problem),
            _ => new FuncXException(FuncXErrorKind.Failed, $"{what} failed ({problem.StatusCode}): {detail}", problem),
        };
    }

    private static FuncXException Unreachable(RpcException problem, Uri address, string what)
    {
        Exception cause = problem;
        while (cause.InnerException is { } inner)
            cause = inner;
        var seen = cause is SocketException socket ? socket.Message : cause is RpcException rpc ? rpc.Status.Detail : cause.Message;
        return new FuncXException(
            FuncXErrorKind.Unreachable, $"{what}: the service at {address.GetLeftPart(UriPartial.Authority)} cannot be reached: {seen}", problem);
    }

    private static bool HasTransportCause(RpcException problem)
    {
        for (Exception? cause = problem.Status.DebugException ?? problem.InnerException; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpRequestException or HttpIOException or IOException or SocketException)
                return true;
        }

        return false;
    }
}
