using Grpc.Core;
using Polly;
using Polly.Retry;

namespace FuncX.Client.Connection;

/// <summary>
/// Repeats what failed because the service could not be reached: with back-off from 20 ms to 1 s, for <see cref="FuncXClientOptions.ConnectTimeout"/> until the
/// first answer of the service and for <see cref="FuncXClientOptions.RetryFor"/> afterwards.
/// </summary>
internal sealed class RetryPolicy
{
    private static readonly ResiliencePropertyKey<long> Started = new("started");

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
    public async ValueTask<T> RunAsync<T>(Func<CancellationToken, ValueTask<T>> attempt, CancellationToken cancellation)
    {
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: false, cancellation);
        try
        {
            context.Properties.Set(Started, _time.GetTimestamp());
            return await _pipeline.ExecuteAsync(static (context, attempt) => attempt(context.CancellationToken), context, attempt);
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
        var budget = _reached ? _options.RetryFor : _options.ConnectTimeout;
        return budget == Timeout.InfiniteTimeSpan || _time.GetElapsedTime(attempt.Context.Properties.GetValue(Started, 0)) < budget;
    }
}
