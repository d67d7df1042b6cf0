using FuncX.Service.Limits;

namespace FuncX.Service.Auth;

/// <summary>A token in use: its caller, and what ends it.</summary>
internal sealed class Session : IDisposable
{
    private readonly CancellationTokenSource _revoked = new();
    private int _streams;

    public Session(TokenRecord token, string header, OwnerUsage usage)
    {
        TokenId = token.Id;
        Header = header;
        ExpiresAt = token.ExpiresAt ?? long.MaxValue;
        Usage = usage;
        Caller = new Caller { Owner = token.Owner, UserName = token.UserName, EndpointId = token.EndpointId, Revoked = _revoked.Token };
    }

    public string TokenId { get; }

    /// <summary>The authorization metadata it was opened with: its key in the cache.</summary>
    public string Header { get; }

    /// <summary>Unix microseconds.</summary>
    public long ExpiresAt { get; }

    public Caller Caller { get; }

    public OwnerUsage Usage { get; }

    /// <summary>Set by every call, cleared when the time of use is written.</summary>
    public bool Used;

    /// <summary>Set when the session made room for another: a revocation no longer finds it.</summary>
    public volatile bool Forgotten;

    /// <summary>A session with open streams stays cached, so that a revocation finds it.</summary>
    public bool HasStreams => Volatile.Read(ref _streams) > 0;

    /// <returns>Streams open with it.</returns>
    public int OpenStream() => Interlocked.Increment(ref _streams);

    public void CloseStream() => Interlocked.Decrement(ref _streams);

    public Task EndAsync(string message)
    {
        Caller.RevokedMessage = message;
        return _revoked.CancelAsync();
    }

    public void Dispose() => _revoked.Dispose();
}
