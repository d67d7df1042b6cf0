using FuncX.Endpoint.Dispatch;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>What the sending half of one link died of: ends the link, and keeps the reason for whoever finds it ended. The sender may be the last to know.</summary>
internal sealed partial class SendingEnd(CancellationTokenSource over, ILogger logger)
{
    private Exception? _problem;

    /// <summary>Null while sending goes on.</summary>
    public Exception? Problem => Volatile.Read(ref _problem);

    /// <summary>From any thread, also when the link has ended for another reason.</summary>
    public void OnFailed(Exception problem)
    {
        if (!TransportFailure.Is(problem))
            LogDefect(logger, problem);
        Volatile.Write(ref _problem, problem);
        try
        {
            over.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The link is over: this was its last message.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "a defect of this program ended the sending to the service; the link begins anew")]
    private static partial void LogDefect(ILogger logger, Exception problem);
}
