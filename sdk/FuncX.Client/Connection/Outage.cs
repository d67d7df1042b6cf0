namespace FuncX.Client.Connection;

/// <summary>
/// How long one caller has been without the service. Once the service was reached it counts from the failure that ended the last connection: a stream that was open and
/// silent for hours before was no outage. Until then it counts from the beginning.
/// </summary>
internal sealed class Outage
{
    // What ends sooner was an answer in two parts, headers and status; a service that breaks every stream at once would be tried for ever.
    private static readonly TimeSpan ShortestConnection = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly long _begun;
    private long? _opened;
    private long? _lost;

    public Outage(TimeProvider time)
    {
        _time = time;
        _begun = time.GetTimestamp();
    }

    /// <summary>True when the attempt that fails now had been a connection for some time.</summary>
    public bool WasConnected => _opened is { } opened && _time.GetElapsedTime(opened) >= ShortestConnection;

    /// <summary>The service has answered this attempt with the headers of its stream.</summary>
    public void Opened() => _opened = _time.GetTimestamp();

    /// <summary>An attempt has failed; says for how long there has been no service.</summary>
    /// <param name="reached">The service has been reached before.</param>
    public TimeSpan Fail(bool reached)
    {
        if (!reached)
            return _time.GetElapsedTime(_begun);
        if (WasConnected || _lost is null)
            _lost = _time.GetTimestamp();
        _opened = null;
        return _time.GetElapsedTime(_lost.Value);
    }
}
