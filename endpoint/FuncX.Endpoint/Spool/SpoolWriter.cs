using System.Threading.Channels;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.ServiceLink;

namespace FuncX.Endpoint.Spool;

/// <summary>
/// Writes results to the spool on a thread of its own and tells the loop when they are durable, or that they could not be made so. Its queue is bounded by
/// what the ledger holds: the loop hands each message over once and waits for the answer.
/// </summary>
internal sealed partial class SpoolWriter(SpoolStore store, ILogger<SpoolWriter> logger) : BackgroundService
{
    private readonly Channel<Request> _requests = Channel.CreateUnbounded<Request>(new UnboundedChannelOptions { SingleReader = true });

    private string? _lastProblem;

    private sealed record Request(List<HeldMessage> Messages, Action<int, string?> Done);

    public long Bytes => store.Bytes;

    /// <summary>What lies in the spool and is not sent, in words; empty when there is nothing.</summary>
    public string OfOthers => string.Join(", ", store.OfOthers);

    /// <summary>Has the messages written. <paramref name="done"/> gets how many of them, from the first, are durable, and why the others are not; on the writer's thread.</summary>
    public void Write(List<HeldMessage> messages, Action<int, string?> done) => _requests.Writer.TryWrite(new Request(messages, done));

    /// <summary>Has the current file completed, so that it can be replayed; <paramref name="done"/> runs on the writer's thread.</summary>
    public void Complete(Action done) => _requests.Writer.TryWrite(new Request([], (_, _) => done()));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var directory in store.OfOthers)
            LogOfOther(directory);
        try
        {
            await foreach (var request in _requests.Reader.ReadAllAsync(stoppingToken))
                Serve(request);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            while (_requests.Reader.TryRead(out var request))
                Serve(request);
        }
    }

    private void Serve(Request request)
    {
        if (request.Messages.Count == 0)
        {
            store.Complete();
            request.Done(0, null);
            return;
        }

        FailPoints.Pass("before-spool");
        var written = store.Append(request.Messages, out var problem);
        FailPoints.Pass("after-spool");
        if (problem is not null && problem != _lastProblem)
            LogRefused(problem);
        _lastProblem = problem;
        request.Done(written, problem);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "results cannot be spooled: {Problem}")]
    private partial void LogRefused(string problem);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Directory} holds results that were made for another service or endpoint; they are kept and not sent. Its name says for whom: an endpoint with that identity sends them")]
    private partial void LogOfOther(string directory);
}
