using FuncX.Service.Auth;
using Grpc.Core;

namespace FuncX.Service.Hosting;

/// <summary>
/// Ends streams whose token died or whose service stops, and says so. A handler need only end when its call's token is cancelled; how it ends
/// does not matter: an end that looked like success would make a client believe that it has everything.
/// </summary>
internal static class StreamGuard
{
    /// <summary>How long a handler may take to end its stream with the reason. One whose peer does not read cannot: it waits for room in the stream.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Gives the call a token that is also cancelled by revocation and by the service's stop, and breaks its stream off when it outlives a revocation.
    /// Dispose it after the call.
    /// </summary>
    public static IAsyncDisposable Watch(HttpContext context, Caller caller, CancellationToken stopping)
    {
        var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, caller.Revoked, stopping);
        context.RequestAborted = ending.Token;
        return new Watched(context, ending, caller.Revoked);
    }

    /// <summary>Waits for a handler and answers for it when it was made to end.</summary>
    public static async Task EndAsync(Task handler, ServerCallContext context, CancellationToken stopping)
    {
        try
        {
            await handler;
        }
        catch (Exception problem) when (!IsOwnAnswer(problem) && WhyEnded(context, stopping) is { } status)
        {
            throw new RpcException(status);
        }

        if (WhyEnded(context, stopping) is { } ended)
            throw new RpcException(ended);
    }

    /// <inheritdoc cref="EndAsync(Task, ServerCallContext, CancellationToken)"/>
    public static async Task<T> EndAsync<T>(Task<T> handler, ServerCallContext context, CancellationToken stopping)
    {
        await EndAsync((Task)handler, context, stopping);
        return await handler;
    }

    private static bool IsOwnAnswer(Exception problem) =>
        problem is RpcException { StatusCode: not (StatusCode.Unauthenticated or StatusCode.Cancelled or StatusCode.Unknown) };

    private static Status? WhyEnded(ServerCallContext context, CancellationToken stopping)
    {
        // Health and reflection have no caller.
        if (context.GetHttpContext().Features.Get<Caller>() is { Revoked.IsCancellationRequested: true } caller)
            return new Status(StatusCode.Unauthenticated, caller.RevokedMessage);
        return stopping.IsCancellationRequested ? new Status(StatusCode.Unavailable, "the service is stopping; go on once it is back.") : null;
    }

    private sealed class Watched : IAsyncDisposable
    {
        private readonly CancellationTokenSource _ending;
        private readonly Timer _abort;
        private readonly CancellationTokenRegistration _revoked;

        public Watched(HttpContext context, CancellationTokenSource ending, CancellationToken revoked)
        {
            _ending = ending;
            _abort = new Timer(static context => ((HttpContext)context!).Abort(), context, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _revoked = revoked.UnsafeRegister(static timer => ((Timer)timer!).Change(_patience, Timeout.InfiniteTimeSpan), _abort);
        }

        public async ValueTask DisposeAsync()
        {
            await _revoked.DisposeAsync();
            // Waits for an abort that is under way: the context serves another request afterwards.
            await _abort.DisposeAsync();
            _ending.Dispose();
        }
    }
}
