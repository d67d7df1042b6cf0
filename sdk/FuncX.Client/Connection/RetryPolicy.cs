using Grpc.Core;
using Polly;
using Polly.Retry;

namespace FuncX.Client.Connection;

/// <summary>
/// Repeats what failed because the service could not be reached: with back-off from 20 ms to 1 s, for <see cref="FuncXClientOptions.ConnectTimeout"/> until the
/// first answer of the service and afterwards for <see cref="FuncXClientOptions.RetryFor"/>, from the loss of the connection (<see cref="Outage"/>).
/// </summary>
internal sealed class RetryPolicy
{
    private static readonly ResiliencePropertyKey<Outage> OutageKey = new("outage");

    private readonly FuncXClientOptions _options;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _pipeline;
    private volatile bool _reached;

    public RetryPolicy(FuncXClientOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = attempt => ValueTask.FromResult(ShouldRepeat(attempt)),
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(20),
                MaxDelay = TimeSpan.FromSeconds(1),
                MaxRetryAttempts = int.MaxValue,
            })
            .Build();
    }

    /// <summary>The service has answered: from now on it is worth waiting for.</summary>
    public void Reached() => _reached = true;

    /// <summary>Runs <paramref name="attempt"/> until it succeeds, fails for another reason, or the time is over; then its exception comes through.</summary>
    public ValueTask<T> RunAsync<T>(Func<CancellationToken, ValueTask<T>> attempt, CancellationToken cancellation) =>
        RunAsync((_, token) => attempt(token), cancellation);

    /// <summary>The same for a stream, which says when it is open.</summary>
    public async ValueTask<T> RunAsync<T>(Func<Outage, CancellationToken, ValueTask<T>> attempt, CancellationToken cancellation)
    {
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: false, cancellation);
        try
        {
            context.Properties.Set(OutageKey, new Outage(_time));
            return await _pipeline.ExecuteAsync(static (context, attempt) => attempt(OutageOf(context), context.CancellationToken), context, attempt);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private bool ShouldRepeat(RetryPredicateArguments<object> attempt)
    {
        if (attempt.Outcome.Exception is not RpcException problem || attempt.Context.CancellationToken.IsCancellationRequested || !ServiceErrors.IsTransient(problem))
            return false;
        var reached = _reached;
        var budget = reached ? _options.RetryFor : _options.ConnectTimeout;
        return OutageOf(attempt.Context).Fail(reached) < budget || budget == Timeout.InfiniteTimeSpan;
    }

    private static Outage OutageOf(ResilienceContext context) => context.Properties.GetValue(OutageKey, null!);
}
