using FuncX.Cluster;
using FuncX.Contracts.V1;
using Grpc.Core;

namespace FuncX.Tests.Submitter;

/// <summary>Keeps a window of tasks in flight and notes every outcome, through any number of deaths of the service and of itself.</summary>
public sealed class Submitter : IDisposable
{
    private readonly SubmitterSettings _settings;
    private readonly Journal _journal;
    private readonly string _stopFile;
    private readonly ServiceApi _api;
    private readonly CancellationTokenSource _finished = new();

    public Submitter(SubmitterSettings settings, Journal journal, string stopFile)
    {
        _settings = settings;
        _journal = journal;
        _stopFile = stopFile;
        _api = new ServiceApi(settings.Service, File.ReadAllText(settings.TokenFile).Trim());
    }

    /// <summary>Returns when it was told to stop and every task has its outcome.</summary>
    public async Task RunAsync()
    {
        var collecting = CollectAsync();
        foreach (var batch in _journal.NotAccepted.ToList())
            await SubmitAsync(batch);
        while (!File.Exists(_stopFile))
        {
            if (_journal.Planned - _journal.Outcomes + _settings.PerBatch <= _settings.Window)
                await SubmitAsync(_journal.Plan(_settings.PerBatch));
            else
                await Task.WhenAny(collecting, Task.Delay(5));
            if (collecting.IsCompleted)
                await collecting;
        }

        await Eventually.TrueAsync(
            () => collecting.IsCompleted || _journal.Outcomes >= _journal.Planned,
            "every task has its outcome",
            TimeSpan.FromMinutes(5),
            () => $"{_journal.Outcomes} outcomes of {_journal.Planned}");
        await _finished.CancelAsync();
        await collecting;
    }

    public void Dispose()
    {
        _api.Dispose();
        _finished.Dispose();
    }

    private async Task SubmitAsync(PlannedBatch batch)
    {
        var arguments = Enumerable.Range(batch.First, batch.Count).Select(number => $"[\"{_settings.TaskDirectory}\",{number},{number % _settings.Milliseconds}]");
        var request = ServiceApi.Request(
            _settings.Function, _settings.Endpoint, _settings.Group, arguments, new TaskOptions { MaxAttempts = _settings.MaxAttempts }, batch.Id);
        FailPoints.Pass("before-send");
        var sending = _api.SubmitAsync(request, TimeSpan.FromMinutes(2));
        if (FailPoints.IsReached("after-send"))
            await DieOnceArrivedAsync(batch);
        await sending;
        _journal.Accept(batch);
        FailPoints.Pass("after-acknowledgement");
    }

    /// <summary>The service has the batch, and whether it said so this process will not know.</summary>
    private async Task DieOnceArrivedAsync(PlannedBatch batch)
    {
        await Eventually.TrueAsync(
            async () => (await _api.GroupAsync(_settings.Group)).Tasks >= batch.First + batch.Count, $"batch {batch.Id} is at the service");
        FailPoints.Die();
    }

    private async Task CollectAsync()
    {
        while (!_finished.IsCancellationRequested)
        {
            try
            {
                using var call = _api.Tasks.Results(
                    new ResultsRequest { Group = _settings.Group, Cursor = _journal.Cursor, Follow = true }, _api.Headers, cancellationToken: _finished.Token);
                while (await call.ResponseStream.MoveNext(_finished.Token))
                {
                    FailPoints.Pass("before-outcomes");
                    _journal.Write(call.ResponseStream.Current);
                    FailPoints.Pass("after-outcomes");
                }
            }
            catch (Exception end) when (_finished.IsCancellationRequested && end is RpcException or OperationCanceledException)
            {
                return;
            }
            catch (RpcException away) when (away.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled or StatusCode.NotFound)
            {
                // Not found: the group exists from its first accepted batch on.
                await Task.Delay(30);
            }
        }
    }
}
