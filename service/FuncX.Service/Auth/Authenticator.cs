using System.Collections.Concurrent;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;

namespace FuncX.Service.Auth;

/// <summary>
/// Proves tokens. A known token costs one dictionary lookup; an unknown one a hash and a query. Sessions are bounded: the ones without
/// open streams make room. A test holds the known token to no allocation.
/// </summary>
public sealed class Authenticator
{
    private const int DefaultMostSessions = 10_000;

    private readonly TokenStore _tokens;
    private readonly ServiceLimits _limits;
    private readonly TimeProvider _clock;
    private readonly int _mostSessions;
    private readonly ConcurrentDictionary<string, Session> _byHeader = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Session> _byTokenId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<OwnerId, OwnerUsage> _usage = new();
    // Opening a session and taking in revocations exclude each other: a token read as live is in the cache before its revocation is looked for.
    private readonly Lock _gate = new();

    public Authenticator(TokenStore tokens, ServiceLimits limits, TimeProvider clock)
        : this(tokens, limits, clock, DefaultMostSessions)
    {
    }

    internal Authenticator(TokenStore tokens, ServiceLimits limits, TimeProvider clock, int mostSessions)
    {
        _tokens = tokens;
        _limits = limits;
        _clock = clock;
        _mostSessions = mostSessions;
    }

    /// <summary>Tokens that are cached now.</summary>
    internal int Sessions => _byTokenId.Count;

    /// <summary>Finds the session of an authorization value.</summary>
    /// <param name="header">The metadata's value, "Bearer TOKEN"; null when the call had none.</param>
    /// <param name="refusal">Why not, for the caller; says nothing about other tokens.</param>
    internal Session? Authenticate(string? header, out string refusal)
    {
        refusal = "";
        if (header is not null && _byHeader.TryGetValue(header, out var session)
            && (session.ExpiresAt == long.MaxValue || session.ExpiresAt > _clock.UnixMicroseconds()))
        {
            if (!session.Used)
                session.Used = true;
            return session;
        }

        return Open(header, out refusal);
    }

    /// <summary>Ends the sessions of revoked tokens.</summary>
    internal async Task TakeInAsync(RevocationLog log)
    {
        List<(Session Session, string Message)>? ended = null;
        lock (_gate)
        {
            foreach (var (tokenId, reason) in log.Take())
            {
                if (_byTokenId.TryGetValue(tokenId, out var session) && Forget(session))
                    (ended ??= []).Add((session, Ended(session, $"was revoked: {reason}")));
            }
        }

        await EndAsync(ended);
    }

    /// <summary>Ends the sessions of tokens whose time is over.</summary>
    internal async Task ExpireAsync()
    {
        List<(Session Session, string Message)>? ended = null;
        var now = _clock.UnixMicroseconds();
        lock (_gate)
        {
            foreach (var (_, session) in _byTokenId)
            {
                if (session.ExpiresAt <= now && Forget(session))
                    (ended ??= []).Add((session, Ended(session, $"expired at {UnixTime.Format(session.ExpiresAt)}")));
            }
        }

        await EndAsync(ended);
    }

    /// <summary>The tokens used since the last call.</summary>
    internal List<string> TakeUsed()
    {
        var used = new List<string>();
        foreach (var (id, session) in _byTokenId)
        {
            if (!session.Used)
                continue;
            session.Used = false;
            used.Add(id);
        }

        return used;
    }

    private Session? Open(string? header, out string refusal)
    {
        const string Scheme = "Bearer ";
        if (string.IsNullOrEmpty(header))
        {
            refusal = "no token: send the metadata 'authorization: Bearer TOKEN'. 'funcx login' stores one; 'funcx-service token create' makes one.";
            return null;
        }

        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            refusal = "the authorization metadata is not of the form 'Bearer TOKEN'.";
            return null;
        }

        var text = header.AsSpan(Scheme.Length).Trim();
        if (!TokenText.HasShape(text))
        {
            refusal = $"the authorization metadata holds no FuncX token: a token begins with {TokenText.UserPrefix} or {TokenText.EndpointPrefix} and has 47 characters; this one has {text.Length}.";
            return null;
        }

        lock (_gate)
        {
            if (_tokens.Find(text) is not { } token)
            {
                refusal = "this service does not know the token. Was it made for another service or data directory?";
                return null;
            }

            var what = What(token.EndpointId, token.Id);
            if (token.RevokedAt is { } revoked)
            {
                refusal = $"{what} was revoked at {UnixTime.Format(revoked)}: {token.RevokedReason}.";
                return null;
            }

            if (token.ExpiresAt is { } expires && expires <= _clock.UnixMicroseconds())
            {
                refusal = $"{what} expired at {UnixTime.Format(expires)}.";
                return null;
            }

            refusal = "";
            return Admit(token, header);
        }
    }

    private Session Admit(TokenRecord token, string header)
    {
        // The same token under another spelling of the header ("bearer") replaces nothing: one session per token.
        if (_byTokenId.TryGetValue(token.Id, out var known))
            return known;
        if (_byTokenId.Count >= _mostSessions)
            MakeRoom();
        var usage = _usage.GetOrAdd(token.Owner, static (_, limits) => new OwnerUsage(limits), _limits);
        var session = new Session(token, header, usage) { Used = true };
        _byTokenId[token.Id] = session;
        _byHeader[header] = session;
        return session;
    }

    private void MakeRoom()
    {
        var room = Math.Max(1, _mostSessions / 10);
        foreach (var (_, session) in _byTokenId)
        {
            // Marked before it is looked at: a stream that opens now either is seen here or sees the mark.
            session.Forgotten = true;
            Interlocked.MemoryBarrier();
            if (session.HasStreams)
            {
                session.Forgotten = false;
                continue;
            }

            Forget(session);
            if (--room == 0)
                return;
        }
    }

    private bool Forget(Session session)
    {
        _byHeader.TryRemove(session.Header, out _);
        return _byTokenId.TryRemove(session.TokenId, out _);
    }

    private static async Task EndAsync(List<(Session Session, string Message)>? ended)
    {
        foreach (var (session, message) in ended ?? [])
            await session.EndAsync(message);
    }

    private static string Ended(Session session, string how) => $"{What(session.Caller.EndpointId, session.TokenId)} {how}.";

    private static string What(string? endpointId, string tokenId) =>
        endpointId is null ? $"the token {tokenId}" : $"the credential {tokenId} of endpoint {endpointId}";
}
