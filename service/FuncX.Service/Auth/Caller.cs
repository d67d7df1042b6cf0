namespace FuncX.Service.Auth;

/// <summary>Who makes a call, as its token proved. One object per token for as long as the token is cached; safe for any thread.</summary>
public sealed class Caller
{
    public required OwnerId Owner { get; init; }

    public required string UserName { get; init; }

    /// <summary>Set when the token is an endpoint's credential: the endpoint it belongs to. Such a caller may only open that endpoint's link.</summary>
    public string? EndpointId { get; init; }

    /// <summary>Cancelled within half a second after the token was revoked or expired: streams end with UNAUTHENTICATED.</summary>
    public required CancellationToken Revoked { get; init; }

    /// <summary>Once <see cref="Revoked"/> is cancelled: what to tell the caller, a whole sentence without secrets.</summary>
    public string RevokedMessage { get; internal set; } = "the token is no longer valid.";
}
