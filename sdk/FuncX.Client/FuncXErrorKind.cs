namespace FuncX.Client;

/// <summary>What a program can do about a <see cref="FuncXException"/>.</summary>
public enum FuncXErrorKind
{
    /// <summary>The service failed or said something this client does not understand.</summary>
    Failed = 0,

    /// <summary>The service did not answer within <see cref="FuncXClientOptions.ConnectTimeout"/> or <see cref="FuncXClientOptions.RetryFor"/>.</summary>
    Unreachable = 1,

    /// <summary>The token is missing, unknown, expired or revoked, or not good for this.</summary>
    NotAuthorised = 2,

    /// <summary>No such function, endpoint, task or group of this user.</summary>
    NotFound = 3,

    /// <summary>The service refused the request; the message names the limit or the fault.</summary>
    Refused = 4,

    /// <summary>A task ended without a value.</summary>
    TaskFailed = 5,

    /// <summary>A value arrived that is not what the caller asked for.</summary>
    UnexpectedValue = 6,
}
