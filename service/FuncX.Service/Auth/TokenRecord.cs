namespace FuncX.Service.Auth;

/// <summary>A token as it is stored: all but its text. Times are Unix microseconds.</summary>
/// <param name="Id">For people and for <c>token revoke</c>.</param>
/// <param name="EndpointId">Set for an endpoint's credential.</param>
/// <param name="LastUsedAt">To the minute.</param>
public sealed record TokenRecord(
    string Id,
    OwnerId Owner,
    string UserName,
    string? EndpointId,
    string Label,
    long CreatedAt,
    long? ExpiresAt,
    long? LastUsedAt,
    long? RevokedAt,
    string? RevokedReason);
