namespace FuncX.Endpoint.Doctor;

/// <summary>How far a question to the service came.</summary>
internal enum ServiceReach
{
    Answered,

    /// <summary>The name in its address has no address here.</summary>
    NameUnknown,

    /// <summary>Nobody takes the connection.</summary>
    NotConnected,

    /// <summary>There is no TLS, or its certificate is not trusted.</summary>
    NotTrusted,

    /// <summary>What answers does not speak HTTP/2.</summary>
    NotHttp2,

    /// <summary>No answer in time.</summary>
    TooLate,
}
