using FuncX.Configuration;
using FuncX.Service.Registry;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Auth;

/// <summary>Looks twice a second for tokens that were revoked or have expired, and writes once a minute which were used.</summary>
public sealed partial class RevocationWatch(RegistryDatabase database, Authenticator authenticator, TokenStore tokens, TimeProvider clock, ILogger<RevocationWatch> logger)
    : BackgroundService
{
    private const int TicksPerUseNote = 120;

    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(500);

    // One look at a time: the loop's and those of calls that have just revoked something themselves.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly RevocationLog _log = new(database);

    /// <summary>Takes in what was revoked up to now, without waiting for the next look.</summary>
    public async Task LookNowAsync()
    {
        await _turn.WaitAsync();
        try
        {
            await authenticator.TakeInAsync(_log);
        }
        finally
        {
            _turn.Release();
        }
    }

    public override void Dispose()
    {
        _log.Dispose();
        _turn.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_interval, TimerThread.For(clock, "revocations"));
        try
        {
            for (var tick = 1; await timer.WaitForNextTickAsync(stoppingToken); tick++)
            {
                if (await HasChangedAsync())
                    await LookNowAsync();
                await authenticator.ExpireAsync();
                if (tick % TicksPerUseNote == 0)
                    NoteUses();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            NoteUses();
        }
    }

    private async Task<bool> HasChangedAsync()
    {
        await _turn.WaitAsync();
        try
        {
            return _log.HasChanged();
        }
        finally
        {
            _turn.Release();
        }
    }

    private void NoteUses()
    {
        var used = authenticator.TakeUsed();
        if (used.Count == 0)
            return;
        try
        {
            tokens.TouchLastUsed(used);
        }
        catch (SqliteException problem)
        {
            // The times are for people only: a full disk here must not end the service.
            LogUsesLost(logger, used.Count, database.Path, problem.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The times of use of {Count} tokens could not be written to {Path}: {Problem}")]
    private static partial void LogUsesLost(ILogger logger, int count, string path, string problem);
}
